//! The status of each known service, and its changes. Values only.

use std::collections::BTreeMap;

use crate::proto::grpc::health::v1::health_check_response::ServingStatus;

/// The statuses of a server's services, by name.
#[derive(Debug)]
pub(super) struct Statuses {
    by_name: BTreeMap<String, ServingStatus>,
    /// While it is, nothing can be set.
    is_shut_down: bool,
}

/// Methods that change a status return whether it changed.
impl Statuses {
    /// The whole server serves.
    pub(super) fn new() -> Self {
        Self {
            by_name: BTreeMap::from([(String::new(), ServingStatus::Serving)]),
            is_shut_down: false,
        }
    }

    pub(super) fn set(&mut self, name: String, status: ServingStatus) -> bool {
        if self.is_shut_down {
            return false;
        }
        let before = match status {
            ServingStatus::ServiceUnknown => {
                return self.by_name.remove(&name).is_some();
            }
            known => self.by_name.insert(name, known),
        };
        before != Some(status)
    }

    pub(super) fn shut_down(&mut self) -> bool {
        let changes = !self.is_shut_down;
        if changes {
            self.set_all(ServingStatus::NotServing);
        }
        self.is_shut_down = true;
        changes
    }

    pub(super) fn resume(&mut self) -> bool {
        let changes = self.is_shut_down;
        if changes {
            self.set_all(ServingStatus::Serving);
        }
        self.is_shut_down = false;
        changes
    }

    fn set_all(&mut self, status: ServingStatus) {
        self.by_name.values_mut().for_each(|known| *known = status);
    }

    /// The status of a service; `None` if it is unknown.
    pub(super) fn of(&self, name: &str) -> Option<ServingStatus> {
        self.by_name.get(name).copied()
    }

    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = (&str, ServingStatus)> {
        self.by_name
            .iter()
            .map(|(name, status)| (name.as_str(), *status))
    }
}
