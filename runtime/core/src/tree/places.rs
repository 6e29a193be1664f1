//! Who gets which number when a configuration takes the place of another: whoever is known keeps its own.

use alloc::vec::Vec;

/// Returns the place of each of `wanted` among the places of `present`, of which some are free: the one that it has, else
/// the first free one, else one at the end. Whoever is in neither list twice gets a place of its own.
///
/// ```
/// use bailiwick_core::tree::places;
///
/// let present = [Some("binder"), None, Some("web")];
/// assert_eq!(places(&present, &["web", "shrinker", "files"]), [2, 1, 3]);
/// ```
pub fn places<K: PartialEq>(present: &[Option<K>], wanted: &[K]) -> Vec<usize> {
    let free = present.iter().enumerate().filter(|(_, known)| known.is_none()).map(|(place, _)| place);
    let mut rest = free.chain(present.len()..);
    let mut place = |one: &K| {
        let known = present.iter().position(|known| known.as_ref() == Some(one));
        known.or_else(|| rest.next()).unwrap_or(present.len())
    };
    wanted.iter().map(&mut place).collect()
}
