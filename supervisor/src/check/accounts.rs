//! Users and groups as the machine's own files know them. The name service is not asked: it would load
//! foreign code into the process that may run as root, and may block.

/// Returns the name of a user.
pub fn user_name(uid: u32) -> Option<String> {
    name_of("/etc/passwd", uid)
}

/// Returns the number of a user, given by name or by number.
pub(super) fn user_id(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| id_of("/etc/passwd", name))
}

/// Returns the number of a group, given by name or by number.
pub(super) fn group_id(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| id_of("/etc/group", name))
}

/// Returns the name of a group.
pub(super) fn group_name(gid: u32) -> Option<String> {
    name_of("/etc/group", gid)
}

/// Tells whether a group is one as many systems make for each user: of the user's name, without other members.
pub(super) fn is_group_of_one(uid: u32, gid: u32) -> bool {
    let (Some(user), Some(group)) = (user_name(uid), group_name(gid)) else { return false };
    let text = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let members =
        text.lines().filter(|line| number(line) == Some(gid)).filter_map(|line| line.split(':').nth(3));
    user == group
        && members.flat_map(|list| list.split(',')).all(|member| member.is_empty() || member == user)
}

fn name_of(file: &str, id: u32) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| number(line) == Some(id))?;
    line.split(':').next().map(str::to_owned)
}

fn id_of(file: &str, name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find(|line| line.split(':').next() == Some(name)).and_then(number)
}

/// Returns the number in the third field of a line.
fn number(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        assert_eq!(
            (user_id("root"), user_id("0"), user_name(0).as_deref()),
            (Some(0), Some(0), Some("root"))
        );
        assert_eq!((group_id("root"), group_name(0).as_deref()), (Some(0), Some("root")));
        assert_eq!((user_id("no such user"), user_name(4_000_000_000)), (None, None));
    }
}
