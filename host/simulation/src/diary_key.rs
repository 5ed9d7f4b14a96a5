//! What a key of a process plugin writes down and says, as the plugin of a story and the computation in one go see it.

use std::collections::BTreeSet;

/// Timers with this number set themselves anew.
const CHAINING: u32 = 2;

/// State and timers of a key. Times are seconds.
#[derive(Default)]
pub(crate) struct Key {
    pub(crate) state: String,
    /// Time and number.
    pub(crate) timers: BTreeSet<(i64, u32)>,
}

/// What was said, and the time of the row or timer that said it.
pub(crate) type Said = Vec<(i64, String)>;

impl Key {
    /// A row comes. What it does hangs on the last digit of its id.
    pub(crate) fn row(&mut self, at: i64, id: &str, said: &mut Said) {
        self.state.push_str(id);
        self.state.push(';');
        match id.as_bytes().last() {
            Some(b'0' | b'1') => _ = self.timers.insert((at + 7, 0)),
            // In the past: it fires right behind the row.
            Some(b'2') => _ = self.timers.insert((at - 30, 0)),
            Some(b'3' | b'4') => {
                self.timers.retain(|(_, number)| *number != 1);
                self.timers.insert((at + 12, 1));
            }
            Some(b'5') => _ = self.timers.insert((at + 4, CHAINING)),
            Some(b'6') => *self = Self::default(),
            Some(b'7' | b'8') => self.say("row", at, said),
            _ => {}
        }
    }

    /// Fires what is due at that watermark, one timer after the other.
    pub(crate) fn advance(&mut self, watermark: i64, said: &mut Said) {
        while let Some(timer) = self.timers.first().copied().filter(|(at, _)| *at <= watermark) {
            self.timers.remove(&timer);
            self.fire(timer, said);
        }
    }

    /// The input has ended: what is left fires once.
    pub(crate) fn end(&mut self, said: &mut Said) {
        for timer in std::mem::take(&mut self.timers) {
            self.fire(timer, said);
        }
    }

    /// A timer fires that was taken out.
    pub(crate) fn fire(&mut self, (at, number): (i64, u32), said: &mut Said) {
        self.state.push('!');
        if number == CHAINING {
            self.timers.insert((at + 9, CHAINING));
        }
        self.say("timer", at, said);
    }

    /// Its time to live is over.
    pub(crate) fn expire(&mut self) {
        if self.timers.is_empty() {
            self.state.clear();
        }
    }

    fn say(&self, who: &str, at: i64, said: &mut Said) {
        said.push((at, format!("{who}:{at}:{}", self.state)));
    }
}
