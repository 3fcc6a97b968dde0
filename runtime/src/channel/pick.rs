//! Which subchannel a call goes to: what a policy publishes, and what each call finds
//! there without asking anyone.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::address::Attributes;
use super::call::open_call::OpenCall;
use super::call::ticket::Ticket;
use super::subchannel::handle::Subchannel;
use crate::code::Code;
use crate::metadata::Metadata;
use crate::method::Method;
use crate::status::{Phase, Status};

/// What a picker, and a [`ConfigSelector`](crate::ConfigSelector), may know of a call.
#[derive(Clone, Copy, Debug)]
pub struct PickArgs<'a> {
    open: &'a OpenCall,
}

impl<'a> PickArgs<'a> {
    pub(super) fn of(open: &'a OpenCall) -> Self {
        Self { open }
    }

    /// The method that is called.
    pub fn method(&self) -> Method {
        self.open.method
    }

    /// The request's metadata, with what interceptors and credentials added.
    pub fn metadata(&self) -> &'a Metadata {
        &self.open.options.metadata
    }

    /// What the resolver's [`ConfigSelector`](crate::ConfigSelector) says of the call
    /// besides; nothing where there is none, and for that selector itself.
    pub fn attributes(&self) -> &'a Attributes {
        &self.open.attributes
    }
}

/// What a [`Picker`] says of a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pick<'a> {
    /// It goes to this subchannel. One that has no connection any more gives it back,
    /// and it waits for the next picker. With a [`Ticket`] the policy is told how the
    /// attempt ended.
    Use(&'a Subchannel, Option<Ticket>),
    /// It waits for the next picker.
    Wait,
    /// It fails, unless it waits for readiness: then it waits for the next picker.
    Fail(Status),
    /// It fails, whatever it waits for.
    Drop(Status),
}

/// Chooses a subchannel for each call. A [`Policy`](crate::Policy) publishes one
/// whenever something has changed.
///
/// It is asked on the threads that make calls, several at a time, so it must not
/// block; a counter is fine, a lock that others hold is not.
pub trait Picker: Send + Sync + 'static {
    /// Chooses for one attempt of a call.
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_>;
}

/// How often a hedge is picked for anew that would go where the call is already.
const OTHER_PICKS: usize = 8;

/// What a policy publishes.
#[derive(Clone, Default)]
pub struct Picks(pub(super) Choice);

#[derive(Clone, Default)]
pub(super) enum Choice {
    /// All calls wait.
    #[default]
    Wait,
    /// All fail but for those that wait for readiness.
    Fail(Status),
    /// All go to one subchannel.
    One(Subchannel),
    By(Arc<dyn Picker>),
}

impl Picks {
    /// All calls wait.
    pub fn wait() -> Self {
        Self(Choice::Wait)
    }

    /// All calls fail, but for those that wait for readiness.
    pub fn fail(status: Status) -> Self {
        Self(Choice::Fail(status))
    }

    /// All calls go to this subchannel.
    pub fn one(subchannel: &Subchannel) -> Self {
        Self(Choice::One(subchannel.clone()))
    }

    /// Each call goes where `picker` says.
    pub fn by(picker: impl Picker) -> Self {
        Self(Choice::By(Arc::new(picker)))
    }

    /// The one subchannel that has all calls.
    pub(super) fn sole(&self) -> Option<&Subchannel> {
        match &self.0 {
            Choice::One(subchannel) => Some(subchannel),
            Choice::Wait | Choice::Fail(_) | Choice::By(_) => None,
        }
    }

    /// A hedge goes to another server than the attempts that it runs beside, if one of a
    /// few picks finds any.
    pub(super) fn pick(&self, open: &OpenCall) -> Pick<'_> {
        let mut pick = self.pick_by(PickArgs::of(open));
        for _ in 0..OTHER_PICKS {
            match &pick {
                Pick::Use(subchannel, _) if open.is_beside(subchannel.number()) => {
                    pick = self.pick_by(PickArgs::of(open));
                }
                _ => break,
            }
        }
        pick
    }

    /// What a policy that owns another asks that one's picks.
    pub(super) fn pick_by(&self, args: PickArgs<'_>) -> Pick<'_> {
        match &self.0 {
            Choice::Wait => Pick::Wait,
            Choice::Fail(status) => Pick::Fail(status.clone()),
            Choice::One(subchannel) => Pick::Use(subchannel, None),
            Choice::By(picker) => picker.pick(&args),
        }
    }

    /// Hands a call to its subchannel on the caller's thread; `Err` gives it back for
    /// the hub, which alone makes calls wait and fail.
    #[inline]
    pub(super) fn open(&self, mut open: Box<OpenCall>) -> Result<(), Box<OpenCall>> {
        match &self.0 {
            Choice::One(subchannel) => subchannel.open(open),
            Choice::By(_) => {
                // One that panics does so again where the hub asks it, which says so.
                let pick = catch_unwind(AssertUnwindSafe(|| self.pick(&open)));
                let Ok(Pick::Use(subchannel, ticket)) = pick else {
                    return Err(open);
                };
                open.goes_to(subchannel.number(), ticket);
                subchannel.open(open).map_err(|mut open| {
                    open.attempt.end(Code::Unavailable, None);
                    open
                })
            }
            Choice::Wait | Choice::Fail(_) => Err(open),
        }
    }
}

impl fmt::Debug for Picks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Choice::Wait => "Picks(wait)",
            Choice::Fail(_) => "Picks(fail)",
            Choice::One(_) => "Picks(one)",
            Choice::By(_) => "Picks(by a picker)",
        })
    }
}

/// What resolvers, selectors and pickers fail with is seen as the call's own status, so it must
/// not look like a server's verdict on the request (gRFC A54).
pub(super) fn as_picked(status: Status) -> Status {
    if !status.code().is_verdict() {
        // No server has said it.
        return match status.phase() {
            None => status.with_phase(Phase::Call),
            Some(_) => status,
        };
    }
    let name = status.code().name();
    let text = format!("the channel: illegal status {name}: {}", status.message());
    Status::new(Code::Internal, text)
        .with_phase(Phase::Call)
        .with_source(status)
}
