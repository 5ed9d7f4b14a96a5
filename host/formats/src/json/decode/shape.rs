//! Which keys of a record lead to which columns, and at which place each key stood last time.

/// Keys remembered per object. Objects with more keys find the rest by comparing.
const PLACES_MAX: usize = 256;

/// Keys longer than this are not remembered, so that a hostile record cannot make a decoder keep megabytes.
const KEY_BYTES_MAX: usize = 256;

/// The wanted part of a record, as a tree of objects.
pub(super) struct Shape {
    /// The record itself is object 0.
    objects: Vec<Object>,
    /// Counts records, so that a key that occurs twice is noticed.
    record: u64,
}

#[derive(Default)]
struct Object {
    fields: Vec<Field>,
    /// By position within the object: the key that stood there, and whose it is.
    places: Vec<ColumnPlace>,
}

struct Field {
    key: String,
    target: Target,
    /// The record in which it occurred last.
    seen: u64,
}

struct ColumnPlace {
    key: String,
    field: Option<FieldIndex>,
    quoted: QuotedKey,
}

/// A key as it usually stands in a record: in quotes, without an escape. The first eight bytes are compared as one
/// number.
#[derive(Default)]
struct QuotedKey {
    text: Vec<u8>,
    head: u64,
    mask: u64,
}

impl QuotedKey {
    /// Nothing for a key that has to be escaped.
    fn new(key: &str) -> Self {
        if key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            return Self::default();
        }
        let text = format!("\"{key}\"").into_bytes();
        let (mut head, mut mask) = ([0; 8], [0; 8]);
        for (index, byte) in text.iter().take(8).enumerate() {
            (head[index], mask[index]) = (*byte, 0xff);
        }
        let (head, mask) = (u64::from_le_bytes(head), u64::from_le_bytes(mask));
        Self { text, head, mask }
    }

    #[inline]
    fn begins(&self, bytes: &[u8]) -> bool {
        // A key has its quotes; what has none is no key that could be recognised.
        !self.text.is_empty()
            && match bytes.first_chunk::<8>() {
                Some(head) if u64::from_le_bytes(*head) & self.mask != self.head => false,
                Some(_) if self.text.len() <= 8 => true,
                _ => bytes.starts_with(&self.text),
            }
    }
}

/// A field within an object.
#[derive(Clone, Copy)]
pub(super) struct FieldIndex(usize);

/// Where the value of a key goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// It is the value of this column.
    Column(usize),
    /// Its text is the value of this column.
    Raw(usize),
    /// Columns lie within it.
    Object(usize),
    /// Several columns read the same value, or it and what lies within it. Rare: parsed once for each.
    Several(Vec<Target>),
}

impl Shape {
    /// The tree of these paths, one a column, none empty; with each, whether the column wants the text of its value.
    pub(super) fn new<'a>(paths: impl Iterator<Item = (&'a [String], bool)>) -> Self {
        let mut shape = Self { objects: vec![Object::default()], record: 0 };
        for (column, (path, is_raw)) in paths.enumerate() {
            shape.insert(path, if is_raw { Target::Raw(column) } else { Target::Column(column) });
        }
        shape
    }

    fn insert(&mut self, path: &[String], target: Target) {
        let mut object = 0;
        let (last, ancestors) = path.split_last().expect("a column's path is not empty");
        for key in ancestors {
            object = self.child(object, key);
        }
        self.add(object, last, target);
    }

    /// The object below `key`, made if there is none yet.
    fn child(&mut self, object: usize, key: &str) -> usize {
        let field = self.objects[object].fields.iter().find(|field| field.key == key);
        let found = field.and_then(|field| match &field.target {
            Target::Object(child) => Some(*child),
            Target::Several(targets) => targets.iter().find_map(|target| match target {
                Target::Object(child) => Some(*child),
                _ => None,
            }),
            Target::Column(_) | Target::Raw(_) => None,
        });
        found.unwrap_or_else(|| {
            self.objects.push(Object::default());
            let child = self.objects.len() - 1;
            self.add(object, key, Target::Object(child));
            child
        })
    }

    fn add(&mut self, object: usize, key: &str, target: Target) {
        let fields = &mut self.objects[object].fields;
        match fields.iter_mut().find(|field| field.key == key) {
            None => fields.push(Field { key: key.to_owned(), target, seen: 0 }),
            Some(field) => match &mut field.target {
                Target::Several(targets) => targets.push(target),
                single => *single = Target::Several(vec![single.clone(), target]),
            },
        }
    }

    /// From here on every key may occur once again.
    #[inline]
    pub(super) fn begin_record(&mut self) {
        self.record += 1;
    }

    /// The field of `key`, the key at `position` of its object; none if nobody wants it.
    #[inline]
    pub(super) fn find(&mut self, object: usize, position: usize, key: &str) -> Option<FieldIndex> {
        let object = &mut self.objects[object];
        match object.places.get(position) {
            Some(place) if place.key == key => place.field,
            _ => object.search(position, key),
        }
    }

    /// Whether `bytes` begin with the key that stood at `position` of the object in the last record, in quotes: how
    /// long that is, and its field, if somebody wants it. None: it is another key, or written in another way.
    #[inline]
    pub(super) fn expect_key(
        &self,
        object: usize,
        position: usize,
        bytes: &[u8],
    ) -> Option<(usize, Option<FieldIndex>)> {
        let place = self.objects[object].places.get(position)?;
        place.quoted.begins(bytes).then_some((place.quoted.text.len(), place.field))
    }

    /// The target of a field that occurs now; none if it occurred in this record before.
    #[inline]
    pub(super) fn enter(&mut self, object: usize, field: FieldIndex) -> Option<&Target> {
        let field = &mut self.objects[object].fields[field.0];
        if field.seen == self.record {
            return None;
        }
        field.seen = self.record;
        Some(&field.target)
    }

    /// The first column that the field leads to, for messages.
    pub(super) fn first_column(&self, object: usize, field: FieldIndex) -> usize {
        self.column_of(&self.objects[object].fields[field.0].target)
    }

    /// The first column within an object, for messages.
    pub(super) fn first_column_within(&self, object: usize) -> usize {
        self.column_of(&self.objects[object].fields[0].target)
    }

    fn column_of(&self, target: &Target) -> usize {
        match target {
            Target::Column(column) | Target::Raw(column) => *column,
            Target::Object(object) => self.first_column_within(*object),
            Target::Several(targets) => self.column_of(&targets[0]),
        }
    }
}

impl Object {
    fn search(&mut self, position: usize, key: &str) -> Option<FieldIndex> {
        let field = self.fields.iter().position(|field| field.key == key).map(FieldIndex);
        if key.len() <= KEY_BYTES_MAX && position < PLACES_MAX {
            if let Some(place) = self.places.get_mut(position) {
                place.key.clear();
                place.key.push_str(key);
                place.field = field;
                place.quoted = QuotedKey::new(key);
            } else if position == self.places.len() {
                let quoted = QuotedKey::new(key);
                self.places.push(ColumnPlace { key: key.to_owned(), field, quoted });
            }
        }
        field
    }
}
