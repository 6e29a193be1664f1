//! What is read of the machine besides what the supervisor itself asks for.

use bailiwick_sys::{memory, process};

/// Settings of the kernel, as this process sees them.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    pub(super) kernel: String,
    /// Whether /proc tells how many filters a process has.
    pub(super) tells_filters: bool,
    /// Whether processes can be named for ever.
    pub(super) has_pidfd: bool,
    pub(super) core_pattern: Option<String>,
    /// Whether memory files can be made that are never executable.
    pub(super) knows_no_exec: bool,
    /// Whether other memory files are executable.
    pub(super) memfd_noexec: Option<String>,
    /// How far Yama keeps processes of one user from looking into each other; `None` without Yama.
    pub(super) ptrace_scope: Option<String>,
    /// How far /proc hides processes of other users.
    pub(super) hidepid: Option<String>,
    pub(super) user_namespaces_max: Option<u64>,
    /// Debian's switch is off.
    pub(super) forbids_user_namespaces: bool,
    /// Ubuntu's switch is on.
    pub(super) apparmor_restricts_users: bool,
}

impl Surroundings {
    pub(super) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let setting = |name: &str| read(&format!("/proc/sys/{name}"));
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        Self {
            kernel: setting("kernel/osrelease").unwrap_or_else(|| "not known: /proc/sys is not there".into()),
            tells_filters: read("/proc/self/status").is_some_and(|text| text.contains("Seccomp_filters")),
            has_pidfd: process::open_pidfd(own).is_ok(),
            core_pattern: setting("kernel/core_pattern"),
            knows_no_exec: memory::knows_no_exec(),
            memfd_noexec: setting("vm/memfd_noexec"),
            ptrace_scope: setting("kernel/yama/ptrace_scope"),
            hidepid: read("/proc/self/mounts").and_then(|mounts| hidepid(&mounts)),
            user_namespaces_max: setting("user/max_user_namespaces").and_then(|text| text.parse().ok()),
            forbids_user_namespaces: setting("kernel/unprivileged_userns_clone").is_some_and(|on| on == "0"),
            apparmor_restricts_users: setting("kernel/apparmor_restrict_unprivileged_userns")
                .is_some_and(|on| on == "1"),
        }
    }

    /// Says what to do so that this user may make namespaces.
    pub(super) fn to_make_namespaces(&self, is_root: bool) -> &'static str {
        match self {
            Self { user_namespaces_max: Some(0), .. } if !is_root => {
                "sysctl -w user.max_user_namespaces=15000"
            }
            Self { forbids_user_namespaces: true, .. } if !is_root => {
                "sysctl -w kernel.unprivileged_userns_clone=1"
            }
            Self { apparmor_restricts_users: true, .. } if !is_root => {
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile of AppArmor for \
                 bailiwickd that allows `userns`"
            }
            _ if is_root => {
                "leave the supervisor CAP_SYS_ADMIN; in a container, --cap-add SYS_ADMIN and a filter that allows \
                 clone, unshare, setns and mount"
            }
            _ => {
                "a kernel with CONFIG_USER_NS, PID_NS, NET_NS and IPC_NS; in a container, a filter that allows \
                 unshare and clone with namespaces (--security-opt seccomp=FILE)"
            }
        }
    }
}

/// Returns what the mount of /proc says of processes of others.
fn hidepid(mounts: &str) -> Option<String> {
    let proc = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some("/proc"))?;
    let options = proc.split(' ').nth(3)?;
    let hidden = options.split(',').find_map(|option| option.strip_prefix("hidepid="));
    Some(hidden.unwrap_or("off").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proc_hides_is_read_off_the_mount_that_is_on_top() {
        let plain = "proc /proc proc rw,relatime 0 0\nsysfs /sys sysfs rw 0 0\n";
        assert_eq!(hidepid(plain).as_deref(), Some("off"));
        let covered = format!("{plain}proc /proc proc rw,nosuid,hidepid=invisible 0 0\n");
        assert_eq!(hidepid(&covered).as_deref(), Some("invisible"));
        assert_eq!(hidepid(""), None);
    }
}
