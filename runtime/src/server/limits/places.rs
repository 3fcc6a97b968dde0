//! The places of one call: with its method's limit, its service's and its server's, as far
//! as these are set. Dropped, in whatever way its call ends, they are the next one's.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::call_gate::{CallGate, Joined};
use crate::call::held_places::{HeldPlaces, Holding};
use crate::status::Status;

/// The gates that a method's calls go through, the narrowest first: a call that waits for a
/// place of its method holds no place of the server.
#[derive(Debug)]
pub(super) struct Gates(Vec<Arc<CallGate>>);

impl Gates {
    /// `None` where there are none.
    pub(super) fn new(gates: Vec<Arc<CallGate>>) -> Option<Arc<Self>> {
        (!gates.is_empty()).then(|| Arc::new(Self(gates)))
    }

    /// The gate that would turn a call away now.
    pub(super) fn full(&self) -> Option<&CallGate> {
        self.0
            .iter()
            .map(|gate| &**gate)
            .find(|gate| gate.is_full())
    }

    /// Lets a call in or into a line, or returns the status with which it is refused.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Entrance, Status> {
        let mut places = Places {
            gates: Arc::clone(self),
            held: 0,
        };
        while let Some(gate) = places.next() {
            match gate.join() {
                Joined::Place => places.held += 1,
                Joined::Full => return Err(gate.refusal()),
                Joined::Waits(number) => {
                    let number = Some(number);
                    return Ok(Entrance::Waits(InLine { places, number }));
                }
            }
        }
        Ok(Entrance::Enters(places))
    }
}

/// A call that was not refused: it has its places, or waits for them.
#[derive(Debug)]
pub(in crate::server) enum Entrance {
    Enters(Places),
    /// It has its places once this resolves.
    Waits(InLine),
}

/// The places that a call holds: all of them, or those obtained so far.
#[derive(Debug)]
pub(in crate::server) struct Places {
    gates: Arc<Gates>,
    /// How many of the gates it has passed.
    held: usize,
}

impl Places {
    /// The gate that is to be passed next.
    fn next(&self) -> Option<&Arc<CallGate>> {
        self.gates.0.get(self.held)
    }

    /// Keeps all places until the call's handler has ended or is dropped.
    pub(in crate::server) fn settle(mut self) -> HeldPlaces {
        debug_assert_eq!(self.held, self.gates.0.len(), "it has passed all gates");
        self.held = 0;
        let gates: Arc<Gates> = Arc::clone(&self.gates);
        HeldPlaces::new(gates)
    }
}

impl Holding for Gates {
    fn give_back(&self) {
        for gate in &self.0 {
            gate.leave();
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for gate in &self.gates.0[..self.held] {
            gate.leave();
        }
    }
}

/// A call that waits for a place. Dropped, it waits no more.
#[derive(Debug)]
pub(in crate::server) struct InLine {
    places: Places,
    /// Its number in the line of the gate that is next.
    number: Option<u64>,
}

impl Future for InLine {
    type Output = Places;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Places> {
        let waits = &mut *self;
        while let Some(gate) = waits.places.next() {
            waits.number = waits.number.or_else(|| gate.join_anyway());
            if let Some(number) = waits.number {
                ready!(gate.poll(number, cx));
                waits.number = None;
            }
            waits.places.held += 1;
        }
        // The rest that is dropped here holds no place.
        let gates = Arc::clone(&waits.places.gates);
        let none = Places { gates, held: 0 };
        Poll::Ready(std::mem::replace(&mut waits.places, none))
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        if let (Some(gate), Some(number)) = (self.places.next(), self.number) {
            gate.give_up(number);
        }
    }
}
