//! Which keys of a record lead to which columns, which key followed which so far, and what stood between their values.

use super::wide::Wide;

/// Keys remembered of an object, the two that have no name among them. Those that somebody wants are, however many there are; of the
/// others the first, until there are so many.
const KEYS_MAX: usize = 64;

/// Keys longer than this that nobody wants are not remembered, so that a hostile record cannot make a decoder keep megabytes.
const KEY_BYTES_MAX: usize = 256;

/// Nor is what leads to a value, if white space makes it longer than this.
const LEAD_BYTES_MAX: usize = KEY_BYTES_MAX + 32;

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
    /// The record in which it was expected and stood there last.
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
    Column(usize),
    /// The target of this field says.
    Field(FieldIndex),
}

/// What leads from one value to the next: a comma, a key and a colon, with the sender's own white space. Before the first value of
/// an object the brace that opens it stands in the place of the comma. Senders write the same bytes each time, so sixteen of
/// them are compared at once.
struct Lead {
    /// In bytes.
    length: usize,
    head: [u8; 16],
    /// Ones where the head has bytes.
    mask: [u8; 16],
    /// What does not fit into it.
    rest: Vec<u8>,
}

impl Lead {
    /// What no bytes begin with: the head has what the mask takes away.
    const NONE: Self = Self { length: 0, head: [1; 16], mask: [0; 16], rest: Vec::new() };

    /// It is these bytes from now on, if they are not too many to be kept.
    fn learn(&mut self, lead: &[u8]) {
        if lead.is_empty() || lead.len() > LEAD_BYTES_MAX {
            return self.forget();
        }
        let (first, rest) = lead.split_at(lead.len().min(16));
        self.length = lead.len();
        (self.head, self.mask) = ([0; 16], [0; 16]);
        self.head[..first.len()].copy_from_slice(first);
        self.mask[..first.len()].fill(0xff);
        self.rest.clear();
        self.rest.extend_from_slice(rest);
    }

    /// No bytes begin with it from now on.
    fn forget(&mut self) {
        (self.length, self.head, self.mask) = (0, Self::NONE.head, Self::NONE.mask);
        self.rest.clear();
    }

    /// Whether bytes begin with it. False also where fewer than sixteen are left to look at.
    #[inline(always)]
    fn begins(&self, bytes: &[u8], at: usize) -> bool {
        let Some(wide) = Wide::at(bytes, at) else { return false };
        wide.agrees(&self.head, &self.mask)
            && (self.rest.is_empty() || bytes[at + 16..].starts_with(&self.rest))
    }
}

/// A key among those that are remembered of its object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyPlace(usize);

impl KeyPlace {
    /// Before the first key.
    pub(super) const BEGIN: Self = Self(0);
    /// Any key that is not remembered, which nobody wants; nothing is known to lead to its value.
    const UNKNOWN: Self = Self(1);
}

/// How far an object has been read.
#[derive(Clone, Copy)]
pub(super) struct Passed {
    /// The last key.
    pub(super) last: KeyPlace,
    /// The one that followed it last.
    next: KeyPlace,
    /// The one with what leads to the value of that.
    lead: KeyPlace,
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

    /// Nothing of an object has been read.
    #[inline(always)]
    pub(super) fn before_first(&self, object: usize) -> Passed {
        let last = KeyPlace::BEGIN;
        Passed { last, next: self.objects[object].keys[last.0].next, lead: last }
    }

    /// An object has been read as far as this key.
    #[inline(always)]
    fn behind(&self, object: usize, last: KeyPlace) -> Passed {
        let next = self.objects[object].keys[last.0].next;
        Passed { last, next, lead: next }
    }

    /// Whether the value of the key that came next the last time is led to by the same bytes again, from `at` on: how many
    /// they are, how far the object has been read then, and what is done with the value. None: it is another key, or
    /// written in another way, or it occurred in this record before.
    #[inline(always)]
    pub(super) fn expected(
        &mut self,
        object: usize,
        Passed { next, lead, .. }: Passed,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Passed, Way)> {
        let keys = &mut self.objects[object].keys;
        let lead = &keys[lead.0].lead;
        if !lead.begins(bytes, at) {
            return None;
        }
        let length = lead.length;
        let key = &mut keys[next.0];
        if key.seen == self.record {
            return None;
        }
        key.seen = self.record;
        Some((length, Passed { last: next, next: key.next, lead: key.next }, key.way))
    }

    /// The same of any key but the first of an object.
    pub(super) fn led_to(
        &mut self,
        object: usize,
        passed: Passed,
        bytes: &[u8],
        at: usize,
    ) -> Option<(usize, Passed, Way)> {
        if passed.last == KeyPlace::BEGIN {
            return None;
        }
        let keys = &mut self.objects[object].keys;
        let next = (KeyPlace::UNKNOWN.0 + 1..keys.len())
            .find(|place| keys[*place].lead.begins(bytes, at))
            .map(KeyPlace)?;
        keys[passed.last.0].next = next;
        self.expected(object, Passed { next, lead: next, ..passed }, bytes, at)
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
    ) -> Option<(Passed, Way)> {
        let (place, field) = self.find(object, after, key);
        if place == KeyPlace::UNKNOWN {
            return Some((self.behind(object, place), Way::Skip));
        }
        let keys = &mut self.objects[object].keys;
        let led = if after == KeyPlace::BEGIN { after } else { place };
        keys[led.0].lead.learn(lead);
        let key = &mut keys[place.0];
        let before = std::mem::replace(&mut key.seen, self.record);
        let (way, is_second) = (key.way, before == self.record && field.is_some());
        (!is_second).then(|| (self.behind(object, place), way))
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
        Self { fields: Vec::new(), keys: vec![Key::nameless(), Key::nameless()] }
    }

    fn field(&self, key: &str) -> Option<FieldIndex> {
        self.fields.iter().position(|field| field.key == key).map(FieldIndex)
    }

    /// A stream of ever new keys leaves no place for others: those that are wanted have theirs from the beginning.
    fn remember_wanted(&mut self) {
        for index in 0..self.fields.len() {
            let (field, name) = (FieldIndex(index), self.fields[index].key.clone());
            self.keys.push(Key::new(name, Some(field), self.way(field)));
        }
    }

    fn find(&mut self, KeyPlace(after): KeyPlace, key: &str) -> (KeyPlace, Option<FieldIndex>) {
        let is_it = |place: usize| place > KeyPlace::UNKNOWN.0 && self.keys[place].name == key;
        let KeyPlace(next) = self.keys[after].next;
        let known = match is_it(next) {
            true => Some(next),
            // Keys that are left out once bring another a few places on.
            false => (next..self.keys.len()).chain(0..next).find(|place| is_it(*place)),
        };
        let place = match known {
            Some(place) => place,
            None if key.len() <= KEY_BYTES_MAX && self.keys.len() < KEYS_MAX => {
                self.keys.push(Key::new(key.to_owned(), None, Way::Skip));
                self.keys.len() - 1
            }
            None => return (KeyPlace::UNKNOWN, None),
        };
        let before = std::mem::replace(&mut self.keys[after].next, KeyPlace(place));
        if KeyPlace(after) == KeyPlace::BEGIN && before != KeyPlace(place) {
            self.keys[after].lead.forget();
        }
        (KeyPlace(place), self.keys[place].field)
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
    fn new(name: String, field: Option<FieldIndex>, way: Way) -> Self {
        Self { name, field, way, seen: 0, next: KeyPlace::UNKNOWN, lead: Lead::NONE }
    }

    /// What stands for no key or for many.
    fn nameless() -> Self {
        Self::new(String::new(), None, Way::Skip)
    }
}
