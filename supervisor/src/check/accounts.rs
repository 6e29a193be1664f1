//! Users and groups as the machine's own files know them. The name service is not asked: it would load
//! foreign code into the process that may run as root, and may block.

use std::ops::RangeInclusive;

use bailiwick_sys::identity::Identity;

/// Returns the name of a user.
pub fn user_name(uid: u32) -> Option<String> {
    name_of(USERS, uid)
}

/// Returns a user, given by name or by number, with its group; one that is not listed is in the group of its number.
pub(crate) fn user(name: &str) -> Option<Identity> {
    find_user(&std::fs::read_to_string(USERS).unwrap_or_default(), name)
}

/// Returns the number of a group, given by name or by number.
pub(crate) fn group(name: &str) -> Option<u32> {
    find_group(&std::fs::read_to_string(GROUPS).unwrap_or_default(), name)
}

/// Returns the numbers of groups, given by name or by number, in ascending order and each once; or who is no group.
pub(crate) fn groups(names: &[String]) -> Result<Vec<u32>, &String> {
    let mut found: Vec<u32> =
        names.iter().map(|name| group(name).ok_or(name)).collect::<Result<_, &String>>()?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Returns the name of a group.
pub(super) fn group_name(gid: u32) -> Option<String> {
    name_of(GROUPS, gid)
}

/// Tells whether a group is one as many systems make for each user: of the user's name, without other members.
pub(super) fn is_group_of_one(uid: u32, gid: u32) -> bool {
    let (Some(user), Some(group)) = (user_name(uid), group_name(gid)) else { return false };
    let text = std::fs::read_to_string(GROUPS).unwrap_or_default();
    let members =
        text.lines().filter(|line| number(line) == Some(gid)).filter_map(|line| line.split(':').nth(3));
    user == group
        && members.flat_map(|list| list.split(',')).all(|member| member.is_empty() || member == user)
}

/// Returns the first user of a range who is listed.
pub(super) fn first_user_of(range: &RangeInclusive<u32>) -> Option<u32> {
    let text = std::fs::read_to_string(USERS).unwrap_or_default();
    text.lines().filter_map(number).find(|uid| range.contains(uid))
}

fn name_of(file: &str, id: u32) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| number(line) == Some(id))?;
    line.split(':').next().map(str::to_owned)
}

fn find_user(users: &str, name: &str) -> Option<Identity> {
    let given: Option<u32> = name.parse().ok();
    let identity =
        |line: &str| Some(Identity { uid: number(line)?, gid: line.split(':').nth(3)?.parse().ok()? });
    let named =
        |line: &&str| line.split(':').next() == Some(name) || given.is_some() && number(line) == given;
    let known = users.lines().filter(named).find_map(identity);
    known.or_else(|| given.map(|uid| Identity { uid, gid: uid }))
}

fn find_group(groups: &str, name: &str) -> Option<u32> {
    let named = |line: &&str| line.split(':').next() == Some(name);
    groups.lines().filter(named).find_map(number).or_else(|| name.parse().ok())
}

/// Returns the number in the third field of a line.
fn number(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken line\nwww:x:33:34::/var/www:/bin/false\n";

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = Some(Identity { uid: 0, gid: 0 });
        assert_eq!((user("root"), user("0"), user_name(0).as_deref()), (root, root, Some("root")));
        assert_eq!((group("root"), group_name(0).as_deref()), (Some(0), Some("root")));
        assert_eq!((user("no such user"), user_name(4_000_000_000)), (None, None));
    }

    #[test]
    fn users_are_found_by_name_and_by_number() {
        assert_eq!(find_user(PASSWD, "www"), Some(Identity { uid: 33, gid: 34 }));
        assert_eq!(find_user(PASSWD, "33"), Some(Identity { uid: 33, gid: 34 }));
        assert_eq!(find_user(PASSWD, "4711"), Some(Identity { uid: 4711, gid: 4711 }));
        assert_eq!(find_user(PASSWD, "nobody"), None);
        assert_eq!(find_user(PASSWD, "-1"), None);
    }

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        assert_eq!(find_group("www:x:34:a,b\n", "www"), Some(34));
        assert_eq!(find_group("www:x:34:a,b\n", "35"), Some(35));
        assert_eq!(find_group("", "www"), None);
    }
}
