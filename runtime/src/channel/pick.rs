//! The choice of a subchannel for each call: what a policy publishes, and how calls use it
//! on their own threads.

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

/// What a picker, or a [`ConfigSelector`](crate::ConfigSelector), sees of a call.
#[derive(Clone, Copy, Debug)]
pub struct PickArgs<'a> {
    open: &'a OpenCall,
}

impl<'a> PickArgs<'a> {
    pub(super) fn of(open: &'a OpenCall) -> Self {
        Self { open }
    }

    /// The call's method.
    pub fn method(&self) -> Method {
        self.open.method
    }

    /// The request's metadata, with what interceptors and credentials added.
    pub fn metadata(&self) -> &'a Metadata {
        &self.open.options.metadata
    }

    /// The attributes that the resolver's [`ConfigSelector`](crate::ConfigSelector) gave
    /// the call; empty if there is no selector, and for the selector itself.
    pub fn attributes(&self) -> &'a Attributes {
        &self.open.attributes
    }
}

/// A [`Picker`]'s decision about a call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pick<'a> {
    /// The call goes to this subchannel. If the subchannel has lost its connection, it
    /// gives the call back, which then waits for the next picker. A [`Ticket`] reports to
    /// the policy how the attempt ended.
    Use(&'a Subchannel, Option<Ticket>),
    /// The call waits for the next picker.
    Wait,
    /// The call fails with this status. If it waits for readiness, it waits for the next
    /// picker instead.
    Fail(Status),
    /// The call fails with this status, even if it waits for readiness.
    Drop(Status),
}

/// Chooses a subchannel for each call. A [`Policy`](crate::Policy) publishes a new picker
/// whenever something has changed.
///
/// The threads that make calls use it, several at a time, so it must not block. An atomic
/// counter is fine; a lock that others hold for long is not.
pub trait Picker: Send + Sync + 'static {
    /// Chooses a subchannel for one attempt of a call.
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_>;
}

/// The most picks for a hedge whose pick is a server that already has the call.
const OTHER_PICKS: usize = 8;

/// What a policy publishes.
#[derive(Clone, Default)]
pub struct Picks(pub(super) Choice);

#[derive(Clone, Default)]
pub(super) enum Choice {
    /// All calls wait.
    #[default]
    Wait,
    /// All calls fail, except those that wait for readiness.
    Fail(Status),
    /// All calls go to one subchannel.
    One(Subchannel),
    By(Arc<dyn Picker>),
}

impl Picks {
    /// All calls wait.
    pub fn wait() -> Self {
        Self(Choice::Wait)
    }

    /// All calls fail with `status`, except those that wait for readiness.
    pub fn fail(status: Status) -> Self {
        Self(Choice::Fail(status))
    }

    /// All calls go to this subchannel.
    pub fn one(subchannel: &Subchannel) -> Self {
        Self(Choice::One(subchannel.clone()))
    }

    /// `picker` chooses for each call.
    pub fn by(picker: impl Picker) -> Self {
        Self(Choice::By(Arc::new(picker)))
    }

    /// The subchannel that has all calls, if one has.
    pub(super) fn sole(&self) -> Option<&Subchannel> {
        match &self.0 {
            Choice::One(subchannel) => Some(subchannel),
            Choice::Wait | Choice::Fail(_) | Choice::By(_) => None,
        }
    }

    /// Picks for a call. A hedge goes to another server than the attempts beside it, if one
    /// of a few picks finds one.
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

    /// Picks for a policy that wraps another one.
    pub(super) fn pick_by(&self, args: PickArgs<'_>) -> Pick<'_> {
        match &self.0 {
            Choice::Wait => Pick::Wait,
            Choice::Fail(status) => Pick::Fail(status.clone()),
            Choice::One(subchannel) => Pick::Use(subchannel, None),
            Choice::By(picker) => picker.pick(&args),
        }
    }

    /// Hands a call to its subchannel on the caller's thread. `Err` gives it back for the
    /// hub, which alone lets calls wait or fail.
    #[inline]
    pub(super) fn open(&self, mut open: Box<OpenCall>) -> Result<(), Box<OpenCall>> {
        match &self.0 {
            Choice::One(subchannel) => subchannel.open(open),
            Choice::By(_) => {
                // If the picker panics, it will again when the hub asks it; the hub reports
                // the panic.
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

/// An error of a resolver, selector or picker becomes the call's status, so its code is
/// replaced if only a server may use it (gRFC A54).
pub(super) fn as_picked(status: Status) -> Status {
    if !status.code().is_verdict() {
        // The status is not from a server, so it gets a phase of the client's side.
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
