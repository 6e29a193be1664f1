//! The lines that are remembered: so many of each source, and no more than so many bytes of all.
//!
//! When there is no room, lines give way of whoever has the most: who prints without end pushes out its own lines, and
//! nobody else's. What is counted as the size of a line is its text and [`LINE_COST`], of a source [`SOURCE_COST`], so
//! that [`BYTES_MAX`] bounds what is really taken, whatever is printed by whom.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::rc::Rc;

use super::packet::write;
use super::{Count, Format, Line, Priority, Said, Source, TEXT_BYTES};
use crate::crash::Moment;
use crate::operator::{self, Target};
use crate::text::cut;

/// The lines that are remembered of one source.
pub const LINES_EACH: usize = 1000;

/// The bytes that the lines of one source may take.
pub const SOURCE_BYTES: usize = 256 << 10;

/// The bytes that the lines of all sources may take.
pub const BYTES_MAX: usize = 8 << 20;

/// The sources that are known at a time. Beyond that the one is forgotten that has been silent for longest.
pub const SOURCES_MAX: usize = 4096;

/// What a line takes beside its text, in bytes.
pub const LINE_COST: usize = 128;

/// The lines of one life that are told as its last, and the bytes of their texts together.
const LAST_LINES: usize = 50;
const LAST_BYTES: usize = 32 << 10;

/// What a source takes beside its lines, in bytes.
pub(super) const SOURCE_COST: usize = 256;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) lines_each: usize,
    pub(super) source_bytes: usize,
    pub(super) bytes: usize,
    pub(super) sources: usize,
}

/// The lines that are remembered.
#[derive(Debug)]
pub struct Log {
    bounds: Bounds,
    format: Format,
    own: Rc<Source>,
    rings: BTreeMap<Rc<Source>, Ring>,
    last: u64,
    bytes: usize,
}

/// The lines of one source.
#[derive(Debug, Default)]
struct Ring {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The number of its last line among all.
    last: u64,
    /// Its lines so far.
    count: Count,
}

/// A line: see [`Line`].
#[derive(Debug)]
struct Kept {
    number: u64,
    count: Count,
    said: Said,
}

impl Log {
    /// Returns an empty one, which knows of the supervisor, and shows in this form what it takes.
    pub fn new(format: Format) -> Self {
        let (lines_each, source_bytes) = (LINES_EACH, SOURCE_BYTES);
        let bounds = Bounds { lines_each, source_bytes, bytes: BYTES_MAX, sources: SOURCES_MAX };
        Self { format, ..Self::within(bounds) }
    }

    /// Returns an empty one with other bounds than those that hold.
    pub(super) fn within(bounds: Bounds) -> Self {
        let own = Rc::new(Source::supervisor());
        let rings = BTreeMap::from([(Rc::clone(&own), Ring::default())]);
        Self { bounds, format: Format::default(), own, rings, last: 0, bytes: SOURCE_COST }
    }

    /// Returns the form in which lines are shown.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Remembers a line of the supervisor's own, which must be free of control characters, and returns it as it is shown.
    pub fn say(&mut self, at: Moment, priority: Priority, text: &str) -> String {
        let own = Rc::clone(&self.own);
        self.print(&own, Said { at, priority, text: text.to_owned(), ..Said::default() })
    }

    /// Remembers the supervisor's line of what happened, and returns it as it is shown: where that has fields, with what it was
    /// and whom it concerns.
    pub fn tell(&mut self, priority: Priority, event: &operator::Event) -> String {
        let (at, own) = (Moment { wall: event.wall, monotonic_ns: event.monotonic_ns }, Rc::clone(&self.own));
        let said = Said { at, priority, text: event.detail.clone(), ..Said::default() };
        if !self.format.is_journald() {
            return self.print(&own, said);
        }
        let entry = said.to_entry_of(event);
        self.push(&own, said);
        entry
    }

    /// Remembers a line as [`Self::push`] does, and returns it as it is shown.
    pub fn print(&mut self, source: &Rc<Source>, said: Said) -> String {
        let shown = self.format.line(Some(self.last + 1), source, &said);
        self.push(source, said);
        shown
    }

    /// Remembers a line under the next number, at the cost of the oldest of who has the most.
    pub fn push(&mut self, source: &Rc<Source>, mut said: Said) {
        if said.text.len() > TEXT_BYTES {
            said.text = cut(&said.text, TEXT_BYTES);
        }
        // Together they are no longer than the longest text, if what they were made of was one line.
        said.event.take_if(|event| event.bytes() + said.text.len() > TEXT_BYTES);
        said.text.shrink_to_fit();
        let bounds = self.bounds;
        let ring = self.count(source, 0);
        let before = ring.bytes;
        ring.push(said, bounds);
        let after = ring.bytes;
        self.bytes = self.bytes - before + after;
        self.make_room();
    }

    /// Counts a line that is not kept because it was printed too fast. It has a number all the same.
    pub fn drop_line(&mut self, source: &Rc<Source>) {
        self.count(source, 1);
    }

    /// Returns the number of the last line; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Returns how many bytes are counted as taken, at most [`BYTES_MAX`].
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether anybody is known of whom the target speaks, and who has printed.
    pub fn knows(&self, target: &Target) -> bool {
        self.rings.keys().any(|source| target.means(source))
    }

    /// Returns what is remembered of the last lines of one life, the oldest first: at most 50, and 32 KiB.
    pub fn last_of(&self, source: &Source, generation: u32) -> Vec<String> {
        let kept = self.rings.get(source).into_iter().flat_map(|ring| ring.kept.iter().rev());
        let texts = kept.filter(|kept| kept.said.generation == generation).map(|kept| kept.said.shown());
        let mut left = LAST_BYTES;
        let has_room = |text: &Cow<'_, str>| left.checked_sub(text.len()).map(|rest| left = rest).is_some();
        let mut last: Vec<_> = texts.take(LAST_LINES).take_while(has_room).map(Cow::into_owned).collect();
        last.reverse();
        last
    }

    /// Returns what is remembered of the lines after number `after`, in their order. Whoever has seen more than was
    /// printed has seen another supervisor, and is told everything.
    pub fn after(&self, after: u64, target: &Target) -> impl Iterator<Item = Line> {
        let after = if after > self.last { 0 } else { after };
        let meant = self.rings.iter().filter(|(source, ring)| ring.last > after && target.means(source));
        let rings: Vec<_> = meant.collect();
        let start = |ring: &Ring| ring.kept.partition_point(|kept| kept.number <= after);
        let mut places: Vec<_> = rings.iter().map(|(_, ring)| start(ring)).collect();
        let number =
            |which: usize, place: usize| Some(Reverse((rings[which].1.kept.get(place)?.number, which)));
        let mut next: BinaryHeap<_> =
            places.iter().enumerate().filter_map(|(which, place)| number(which, *place)).collect();
        std::iter::from_fn(move || {
            let Reverse((_, which)) = next.pop()?;
            let (source, ring) = rings[which];
            let line = ring.kept[places[which]].told(source);
            places[which] += 1;
            next.extend(rings[which].1.kept.get(places[which]).map(|kept| Reverse((kept.number, which))));
            Some(line)
        })
    }

    /// Returns the lines after number `after` as one packet, as many as it holds; `None` if there are none.
    pub fn packet(&self, after: u64, target: &Target) -> Option<Vec<u8>> {
        write(self.after(after, target))
    }

    /// Counts one more line of a source, which is known from now on.
    fn count(&mut self, source: &Rc<Source>, dropped: u64) -> &mut Ring {
        if !self.rings.contains_key(source) {
            if self.rings.len() >= self.bounds.sources {
                self.forget_silent();
            }
            self.bytes += SOURCE_COST;
            // What it costs may be what is too much.
            self.make_room();
        }
        self.last += 1;
        let ring = self.rings.entry(Rc::clone(source)).or_default();
        ring.last = self.last;
        ring.count.nth += 1;
        ring.count.dropped += dropped;
        ring
    }

    /// Forgets whoever has been silent for longest, the supervisor excepted.
    fn forget_silent(&mut self) {
        let others = self.rings.iter().filter(|(source, _)| !source.is_supervisor());
        let silent = others.min_by_key(|(_, ring)| ring.last).map(|(source, _)| Rc::clone(source));
        if let Some(ring) = silent.and_then(|silent| self.rings.remove(&silent)) {
            self.bytes -= ring.bytes + SOURCE_COST;
        }
    }

    /// Forgets lines of whoever has the most, until there is room. To look who that is takes as long as there are
    /// sources, so that more than one line gives way each time.
    fn make_room(&mut self) {
        while self.bytes > self.bounds.bytes {
            let largest = self.rings.values_mut().max_by_key(|ring| ring.bytes);
            let Some(ring) = largest.filter(|ring| !ring.kept.is_empty()) else { return };
            let before = ring.bytes;
            while !ring.kept.is_empty() && ring.bytes >= before - before / 16 {
                ring.forget_oldest();
            }
            self.bytes -= before - ring.bytes;
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new(Format::default())
    }
}

impl Ring {
    fn push(&mut self, said: Said, bounds: Bounds) {
        self.bytes += cost(&said);
        self.kept.push_back(Kept { number: self.last, count: self.count, said });
        while self.kept.len() > bounds.lines_each || self.bytes > bounds.source_bytes {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes -= cost(&oldest.said);
        }
        // Room for a thousand lines is not held for a few.
        if self.kept.len() < self.kept.capacity() / 4 {
            self.kept.shrink_to(self.kept.len() * 2);
        }
    }
}

/// Returns the bytes that a line is counted with.
fn cost(said: &Said) -> usize {
    LINE_COST + said.text.len() + said.event.as_ref().map_or(0, |event| event.cost())
}

impl Kept {
    fn told(&self, source: &Source) -> Line {
        Line { number: self.number, source: source.clone(), count: self.count, said: self.said.clone() }
    }
}
