//! Which keys of a record lead to which columns, which key followed which so far, and what stood between their values.

use super::lead::Lead;

/// Keys remembered of an object, the two that have no name among them. Those that somebody wants are, however many there are; of the
/// others the first, until there are so many.
const KEYS_MAX: usize = 64;

/// Keys longer than this that nobody wants are not remembered, so that a hostile record cannot make a decoder keep megabytes.
pub(super) const KEY_BYTES_MAX: usize = 256;

/// The wanted part of a record, as a tree of objects.
pub(super) struct Shape {
    /// The record itself is object 0.
    objects: Vec<Object>,
    /// Counts records, so that a key that occurs twice is noticed.
    record: u64,
}

struct Object {
    fields: Vec<Field>,
    /// The keys that were met, wanted or not. The first two are [`KeyPlace::BEGIN`] and [`KeyPlace::UNKNOWN`].
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
    /// The record in which it was read last, unless a template led there.
    seen: u64,
    /// The key that followed it last.
    next: KeyPlace,
    /// What leads to its value from the one before. Of [`KeyPlace::BEGIN`]: what leads to the first value.
    lead: Lead,
}

/// What is done with the value of a key.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// Nobody wants it.
    Skip,
    /// It is the value of this column, and of nothing else.
    Column(u32),
    /// The target of this field says.
    Field(FieldIndex),
}

/// A key among those that are remembered of its object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPlace(u32);

impl KeyPlace {
    /// Before the first key.
    pub(super) const BEGIN: Self = Self(0);
    /// Any key that is not remembered, which nobody wants; nothing is known to lead to its value.
    const UNKNOWN: Self = Self(1);

    fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("nobody wants as many keys"))
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A key that has been read, whose value follows.
#[derive(Clone, Copy)]
pub(super) struct Led {
    pub(super) place: KeyPlace,
    /// The one that followed it last.
    pub(super) next: KeyPlace,
    pub(super) way: Way,
}

/// A field within an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldIndex(u32);

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
        shape.objects.iter_mut().for_each(Object::remember_wanted);
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

    /// Whether the object that begins at `at` begins as the last one did. Answers with the length of those bytes, and the key. None: it
    /// is another key, or written in another way, or it occurred in this record before.
    #[inline(always)]
    pub(super) fn first(&mut self, object: usize, bytes: &[u8], at: usize) -> Option<(usize, Led)> {
        let begin = KeyPlace::BEGIN;
        let next = self.objects[object].keys[begin.index()].next;
        self.led_by(object, begin, next, bytes, at)
    }

    /// The same of `key`, which came next the last time.
    #[inline(always)]
    pub(super) fn expected(
        &mut self,
        object: usize,
        key: KeyPlace,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Led)> {
        self.led_by(object, key, key, bytes, at)
    }

    /// The same of `key`, whose value is reached by the bytes that are kept with `lead`.
    #[inline(always)]
    fn led_by(
        &mut self,
        object: usize,
        lead: KeyPlace,
        key: KeyPlace,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Led)> {
        let keys = &mut self.objects[object].keys;
        let length = keys[lead.index()].lead.begins(bytes, at)?;
        let Key { seen, next, way, .. } = &mut keys[key.index()];
        if *seen == self.record {
            return None;
        }
        *seen = self.record;
        Some((length, Led { place: key, next: *next, way: *way }))
    }

    /// The same of any key behind `last`.
    pub(super) fn led_to(
        &mut self,
        object: usize,
        last: KeyPlace,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Led)> {
        if last == KeyPlace::BEGIN {
            return None;
        }
        let keys = &mut self.objects[object].keys;
        let next = (KeyPlace::UNKNOWN.index() + 1..keys.len())
            .find(|place| keys[*place].lead.begins(bytes, at).is_some())
            .map(KeyPlace::of)?;
        keys[last.index()].next = next;
        self.expected(object, next, bytes, at)
    }

    /// The same of a key wherever it stands and however it is written. `lead` is what leads to its value: white space, a comma or
    /// the brace that opens the object, the key and a colon. None: the key leads to a column and occurred in this record
    /// before.
    pub(super) fn meet(
        &mut self,
        object: usize,
        after: KeyPlace,
        key: &str,
        lead: &[u8],
    ) -> Option<Led> {
        let (place, field) = self.find(object, after, key);
        let keys = &mut self.objects[object].keys;
        let Key { next, way, .. } = keys[place.index()];
        let led = Led { place, next, way };
        if place == KeyPlace::UNKNOWN {
            return Some(led);
        }
        let leads = if after == KeyPlace::BEGIN { after } else { place };
        keys[leads.index()].lead.learn(lead);
        let before = std::mem::replace(&mut keys[place.index()].seen, self.record);
        let is_second = before == self.record && field.is_some();
        (!is_second).then_some(led)
    }

    /// The record's own key counts as read.
    pub(super) fn mark(&mut self, place: KeyPlace) {
        self.objects[0].keys[place.index()].seen = self.record;
    }

    /// The key that followed this one last in a record.
    pub(super) fn next(&self, place: KeyPlace) -> KeyPlace {
        self.objects[0].keys[place.index()].next
    }

    /// Whether columns lie within the value of a field, and nowhere else.
    pub(super) fn is_object(&self, object: usize, field: FieldIndex) -> bool {
        let target = &self.objects[object].fields[field.index()].target;
        matches!(target, Target::Object(_))
    }

    /// The place of `key`, which follows `after`, and its field, if somebody wants it.
    pub(super) fn find(
        &mut self,
        object: usize,
        after: KeyPlace,
        key: &str,
    ) -> (KeyPlace, Option<FieldIndex>) {
        self.objects[object].find(after, key)
    }

    /// The field of `key`, if somebody wants it.
    pub(super) fn field(&self, object: usize, key: &str) -> Option<FieldIndex> {
        self.objects[object].field(key)
    }

    /// The target of a field that occurs now; none if it occurred in this record before.
    #[inline]
    pub(super) fn enter(&mut self, object: usize, field: FieldIndex) -> Option<&Target> {
        let field = &mut self.objects[object].fields[field.index()];
        if field.seen == self.record {
            return None;
        }
        field.seen = self.record;
        Some(&field.target)
    }

    /// The first column that the field leads to, for messages.
    pub(super) fn first_column(&self, object: usize, field: FieldIndex) -> usize {
        self.column_of(&self.objects[object].fields[field.index()].target)
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
        Self { fields: Vec::new(), keys: vec![Key::nameless(), Key::nameless()] }
    }

    fn field(&self, key: &str) -> Option<FieldIndex> {
        self.fields.iter().position(|field| field.key == key).map(FieldIndex::of)
    }

    /// A stream of ever new keys leaves no place for others: those that are wanted have theirs from the beginning.
    fn remember_wanted(&mut self) {
        for index in 0..self.fields.len() {
            let (field, name) = (FieldIndex::of(index), self.fields[index].key.clone());
            self.keys.push(Key::new(name, Some(field), self.way(field)));
        }
    }

    fn find(&mut self, after: KeyPlace, key: &str) -> (KeyPlace, Option<FieldIndex>) {
        let is_it =
            |place: usize| place > KeyPlace::UNKNOWN.index() && self.keys[place].name == key;
        let next = self.keys[after.index()].next.index();
        let known = match is_it(next) {
            true => Some(next),
            // Keys that are left out once bring another a few places on.
            false => (next..self.keys.len()).chain(0..next).find(|place| is_it(*place)),
        };
        let place = match known {
            Some(place) => KeyPlace::of(place),
            None if key.len() <= KEY_BYTES_MAX && self.keys.len() < KEYS_MAX => {
                self.keys.push(Key::new(key.to_owned(), None, Way::Skip));
                KeyPlace::of(self.keys.len() - 1)
            }
            None => return (KeyPlace::UNKNOWN, None),
        };
        let Key { next, lead, .. } = &mut self.keys[after.index()];
        let before = std::mem::replace(next, place);
        if after == KeyPlace::BEGIN && before != place {
            lead.forget();
        }
        (place, self.keys[place.index()].field)
    }

    /// What is done with the value of a field.
    fn way(&self, field: FieldIndex) -> Way {
        match self.fields[field.index()].target {
            Target::Column(column) => {
                Way::Column(u32::try_from(column).expect("a schema has fewer columns"))
            }
            _ => Way::Field(field),
        }
    }
}

impl FieldIndex {
    fn of(index: usize) -> Self {
        Self(u32::try_from(index).expect("nobody wants as many fields"))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Key {
    fn new(name: String, field: Option<FieldIndex>, way: Way) -> Self {
        Self { name, field, way, seen: 0, next: KeyPlace::UNKNOWN, lead: Lead::NONE }
    }

    /// What stands for no key or for many.
    fn nameless() -> Self {
        Self::new(String::new(), None, Way::Skip)
    }
}
