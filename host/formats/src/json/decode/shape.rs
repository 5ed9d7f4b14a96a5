//! Which keys of a record lead to which columns, and which key followed which so far.

use super::wide::Wide;

/// Keys remembered of an object, the begin of it among them. Of objects with more the rest is found by comparing.
const KEYS_MAX: usize = 64;

/// Keys longer than this are not remembered, so that a hostile record cannot make a decoder keep megabytes.
const KEY_BYTES_MAX: usize = 256;

/// The wanted part of a record, as a tree of objects.
pub(super) struct Shape {
    /// The record itself is object 0.
    objects: Vec<Object>,
    /// Counts records, so that a key that occurs twice is noticed.
    record: u64,
}

struct Object {
    fields: Vec<Field>,
    /// The keys that were met, wanted or not. The first stands for the begin of the object.
    keys: Vec<Key>,
}

struct Field {
    key: String,
    target: Target,
    /// The record in which it occurred last.
    seen: u64,
}

/// A key that was met.
struct Key {
    name: String,
    /// None: nobody wants it.
    field: Option<FieldIndex>,
    way: Way,
    quoted: QuotedKey,
    /// The record in which it was expected and stood there last.
    seen: u64,
    /// The key that followed it last.
    next: usize,
}

/// What is done with the value of a key.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Nobody wants it.
    Skip,
    /// It is the value of this column, and of nothing else.
    Column(usize),
    /// The target of this field says.
    Field(FieldIndex),
}

/// A key as it usually stands in a record: in quotes, without an escape, with a colon behind it. Sixteen bytes are
/// compared as one number.
struct QuotedKey {
    /// In bytes.
    length: usize,
    head: u128,
    mask: u128,
    /// What does not fit into it.
    rest: Vec<u8>,
}

impl QuotedKey {
    /// What no bytes begin with, for the begin of an object and for a key that has to be escaped.
    const NONE: Self = Self { length: 0, head: 1, mask: 0, rest: Vec::new() };

    fn new(key: &str) -> Self {
        if key.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            return Self::NONE;
        }
        let text = format!("\"{key}\":").into_bytes();
        let mut head = [0; 16];
        head.iter_mut().zip(&text).for_each(|(to, from)| *to = *from);
        Self {
            length: text.len(),
            head: u128::from_le_bytes(head),
            mask: u128::MAX >> (128 - 8 * text.len().min(16)),
            rest: text.get(16..).unwrap_or_default().to_vec(),
        }
    }

    /// Whether bytes begin with it. False also where fewer than sixteen are left to look at.
    #[inline(always)]
    fn begins(&self, bytes: &[u8], at: usize) -> bool {
        let Some(wide) = Wide::at(bytes, at) else { return false };
        wide.number() & self.mask == self.head
            && (self.rest.is_empty() || bytes[at + 16..].starts_with(&self.rest))
    }
}

/// A key among those that are remembered of its object.
#[derive(Clone, Copy)]
pub(super) struct KeyPlace(usize);

impl KeyPlace {
    /// Before the first key.
    pub(super) const BEGIN: Self = Self(0);
}

/// A key that was looked for.
struct Found {
    /// Its place; that of the key before it if it is not remembered.
    place: KeyPlace,
    /// None: nobody wants it.
    field: Option<FieldIndex>,
    is_remembered: bool,
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
        let mut shape = Self { objects: vec![Object::new()], record: 0 };
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
            self.objects.push(Object::new());
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

    /// Whether the key that followed `after` last stands at `at` again, with its colon just behind it: how long both
    /// are, its place, and what is done with its value. None: it is another key, or written in another way, or it occurred in
    /// this record before.
    #[inline(always)]
    pub(super) fn expected(
        &mut self,
        object: usize,
        KeyPlace(after): KeyPlace,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, KeyPlace, Way)> {
        let keys = &mut self.objects[object].keys;
        let next = keys[after].next;
        let key = &mut keys[next];
        if !key.quoted.begins(bytes, at) || key.seen == self.record {
            return None;
        }
        key.seen = self.record;
        Some((key.quoted.length, KeyPlace(next), key.way))
    }

    /// The same of a key wherever it stands and however it is written. None: it leads to a column and occurred in this
    /// record before.
    pub(super) fn meet(
        &mut self,
        object: usize,
        after: KeyPlace,
        key: &str,
    ) -> Option<(KeyPlace, Way)> {
        let Found { place, field, is_remembered } = self.objects[object].find(after, key);
        let way = match field {
            None => Way::Skip,
            Some(field) if !is_remembered => Way::Field(field),
            Some(_) => {
                let key = &mut self.objects[object].keys[place.0];
                let before = std::mem::replace(&mut key.seen, self.record);
                (before != self.record).then_some(key.way)?
            }
        };
        Some((place, way))
    }

    /// The place of `key`, which follows `after`, and its field, if somebody wants it. What is not remembered has the
    /// place of the key before it.
    pub(super) fn find(
        &mut self,
        object: usize,
        after: KeyPlace,
        key: &str,
    ) -> (KeyPlace, Option<FieldIndex>) {
        let found = self.objects[object].find(after, key);
        (found.place, found.field)
    }

    /// The field of `key`, if somebody wants it.
    pub(super) fn field(&self, object: usize, key: &str) -> Option<FieldIndex> {
        self.objects[object].field(key)
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
    fn new() -> Self {
        Self {
            fields: Vec::new(),
            keys: vec![Key::new(String::new(), QuotedKey::NONE, None, Way::Skip)],
        }
    }

    fn field(&self, key: &str) -> Option<FieldIndex> {
        self.fields.iter().position(|field| field.key == key).map(FieldIndex)
    }

    fn find(&mut self, KeyPlace(after): KeyPlace, key: &str) -> Found {
        let is_it = |place: usize| place > 0 && self.keys[place].name == key;
        let next = self.keys[after].next;
        let known = match is_it(next) {
            true => Some(next),
            // Keys that are left out once bring another a few places on.
            false => (next..self.keys.len()).chain(0..next).find(|place| is_it(*place)),
        };
        let place = match known {
            Some(place) => place,
            None if key.len() <= KEY_BYTES_MAX && self.keys.len() < KEYS_MAX => {
                let field = self.field(key);
                let way = field.map_or(Way::Skip, |field| self.way(field));
                self.keys.push(Key::new(key.to_owned(), QuotedKey::new(key), field, way));
                self.keys.len() - 1
            }
            None => {
                let (place, field) = (KeyPlace(after), self.field(key));
                return Found { place, field, is_remembered: false };
            }
        };
        self.keys[after].next = place;
        let field = self.keys[place].field;
        Found { place: KeyPlace(place), field, is_remembered: true }
    }

    /// What is done with the value of a field.
    fn way(&self, field: FieldIndex) -> Way {
        match self.fields[field.0].target {
            Target::Column(column) => Way::Column(column),
            _ => Way::Field(field),
        }
    }
}

impl Key {
    fn new(name: String, quoted: QuotedKey, field: Option<FieldIndex>, way: Way) -> Self {
        Self { name, field, way, quoted, seen: 0, next: 0 }
    }
}
