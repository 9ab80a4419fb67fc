use tokio::process::Child;

/// A program with all that it has started: the process group that it leads.
#[derive(Debug)]
pub(super) struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    /// The group of a child that leads one and has not been waited for.
    pub(super) fn of(child: &Child) -> Self {
        #[cfg(unix)]
        let group = Self { leader: child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) };
        #[cfg(not(unix))]
        let group = {
            let _ = child;
            Self {}
        };
        group
    }

    /// Asks all of it to end.
    pub(super) fn terminate(&self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
    }

    /// Ends all of it.
    pub(super) fn kill(&self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(leader) = self.leader {
            // Where nobody is left in it, nothing is to be done.
            let _ = rustix::process::kill_process_group(leader, signal);
        }
    }
}
