//! ring_hash (gRFC A42, A61, A76): calls with one key go to one endpoint, as long as it
//! is there.

use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::control::Control;
use super::pick_first::empty;
use super::policy::{Balance, Policy, Resolved};
use super::ring::{Ring, RingSeat, Size, hash};
use crate::chance::Chance;
use crate::channel::address::EndpointKey;
use crate::channel::connectivity::ConnectivityState;
use crate::channel::pick::{Pick, PickArgs, Picker, Picks};
use crate::channel::subchannel::handle::Subchannel;
use crate::channel::subchannel::report::SubchannelState;
use crate::metadata::{Metadata, MetadataError, MetadataValue};
use crate::status::Status;

/// gRFC A42: a larger ring is a mistake.
const MOST_PLACES: usize = 8 << 20;

/// Sends calls with one key to one server as long as it is there (gRFC A42, A76), for
/// servers that keep something of those that they serve: a cache, say. When a server
/// comes or goes, only its own share of the keys moves.
///
/// The key of a call is the value of a header
/// ([`request_hash_header`](Self::request_hash_header)); a call without one goes
/// anywhere. A connection is made when a call needs it. Where the server of a key cannot
/// be reached, its calls go to the next on the ring.
///
/// A resolver may give an endpoint a [`HashKey`](crate::HashKey) and an
/// [`EndpointWeight`](crate::EndpointWeight). It is there with the feature `ring-hash`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grpc_runtime::{Channel, ChannelCredentials, RingHash};
///
/// let channel = Channel::builder("dns:///cache.internal:50051")?
///     .balance(RingHash::new().request_hash_header("x-user")?)
///     .build(ChannelCredentials::insecure())?;
/// # drop(channel);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RingHash {
    size: Size,
    header: Option<Arc<str>>,
}

impl Default for RingHash {
    fn default() -> Self {
        let size = Size {
            least: 1_024,
            most: 4_096,
        };
        Self { size, header: None }
    }
}

impl RingHash {
    /// Without a header: every call goes anywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// The header whose value is a call's key; several values are joined by commas. A
    /// call that does not have it, or has it empty, goes to a server by chance.
    ///
    /// # Errors
    /// When the name is none of a header, or ends in `-bin`.
    pub fn request_hash_header(mut self, name: &str) -> Result<Self, MetadataError> {
        Metadata::new().append(name, "")?;
        self.header = (!name.is_empty()).then(|| name.into());
        Ok(self)
    }

    /// How many places the ring has at least: the more, the closer each server's share
    /// of the keys is to its weight. 1,024 unless set; raised to 1 where it is less.
    /// There are never more than [`max_ring_size`](Self::max_ring_size).
    #[must_use]
    pub fn min_ring_size(mut self, places: usize) -> Self {
        self.size.least = places.clamp(1, MOST_PLACES);
        self
    }

    /// How many places the ring has at most, each of which takes 16 bytes. 4,096 unless
    /// set; raised to 1 where it is less, and lowered to 8,388,608 where it is more.
    #[must_use]
    pub fn max_ring_size(mut self, places: usize) -> Self {
        self.size.most = places.clamp(1, MOST_PLACES);
        self
    }
}

impl Balance for RingHash {
    fn name(&self) -> &'static str {
        "ring_hash_experimental"
    }

    fn policy(&self) -> Box<dyn Policy> {
        Box::new(Hashed {
            options: self.clone(),
            members: Vec::new(),
            places: HashMap::new(),
            ring: Arc::default(),
            has_news: false,
            last_failure: None,
        })
    }
}

/// The policy of one channel.
#[derive(Debug)]
struct Hashed {
    options: RingHash,
    members: Vec<RingMember>,
    /// Where among them each subchannel is, by its number.
    places: HashMap<u64, usize>,
    ring: Arc<Ring>,
    /// What is published is not what is so.
    has_news: bool,
    last_failure: Option<Status>,
}

/// One endpoint.
#[derive(Debug)]
struct RingMember {
    key: EndpointKey,
    seat: RingSeat,
    subchannel: Subchannel,
    state: RingMemberState,
}

/// A subchannel's state as the policy counts it: one that failed has failed until it is
/// ready.
#[derive(Clone, Debug)]
enum RingMemberState {
    /// With whether it was told to connect since it has been.
    Idle(Arc<AtomicBool>),
    Connecting,
    Ready,
    Failed(Status),
}

impl RingMemberState {
    fn idle() -> Self {
        Self::Idle(Arc::default())
    }
}

/// Tells a subchannel that is idle to connect, once; a picker that is out of date must
/// not cut a backoff short. `true` where it was not told before.
fn wake(subchannel: &Subchannel, is_asked: &AtomicBool) -> bool {
    let is_first = !is_asked.swap(true, Ordering::Relaxed);
    if is_first {
        subchannel.connect();
    }
    is_first
}

impl Policy for Hashed {
    fn update(&mut self, resolved: Resolved, control: &mut Control<'_>) -> Result<(), Status> {
        self.has_news = true;
        let before = std::mem::take(&mut self.members).into_iter();
        let mut before: HashMap<_, _> = before.map(|it| (it.key.clone(), it)).collect();
        let mut known: HashMap<EndpointKey, usize> = HashMap::new();
        for endpoint in resolved.endpoints {
            let key = endpoint.key();
            if key.is_empty() {
                continue;
            }
            let seat = RingSeat::of(&endpoint);
            // One that is listed twice weighs as much as both.
            if let Some(member) = known.get(&key).and_then(|at| self.members.get_mut(*at)) {
                member.seat.weight = member.seat.weight.saturating_add(seat.weight);
                continue;
            }
            known.insert(key.clone(), self.members.len());
            let member = match before.remove(&key) {
                Some(member) => RingMember { seat, ..member },
                None => RingMember {
                    key,
                    seat,
                    subchannel: control.subchannel(endpoint),
                    state: RingMemberState::idle(),
                },
            };
            self.members.push(member);
        }
        for member in before.into_values() {
            control.remove(member.subchannel);
        }
        let members = self.members.iter().enumerate();
        self.places = members
            .map(|(place, member)| (member.subchannel.number(), place))
            .collect();
        let seats: Vec<_> = self
            .members
            .iter()
            .map(|member| member.seat.clone())
            .collect();
        self.ring = Arc::new(Ring::new(&seats, self.options.size));
        if self.members.is_empty() {
            let status = empty();
            self.last_failure = Some(status.clone());
            return Err(status);
        }
        Ok(())
    }

    fn resolution_failed(&mut self, status: Status, _control: &mut Control<'_>) {
        if self.members.is_empty() {
            self.last_failure = Some(status);
            self.has_news = true;
        }
    }

    fn changed(
        &mut self,
        subchannel: &Subchannel,
        state: SubchannelState,
        control: &mut Control<'_>,
    ) {
        let place = self.places.get(&subchannel.number());
        let Some(member) = place.and_then(|place| self.members.get_mut(*place)) else {
            return;
        };
        let has_failed = matches!(member.state, RingMemberState::Failed(_));
        match state {
            // It is tried again and again, and counts as failed meanwhile (gRFC A62).
            SubchannelState::Idle if has_failed => return member.subchannel.connect(),
            SubchannelState::Connecting if has_failed => return,
            SubchannelState::Idle => {
                if matches!(member.state, RingMemberState::Ready) {
                    control.resolve_again();
                }
                member.state = RingMemberState::idle();
            }
            SubchannelState::Connecting => member.state = RingMemberState::Connecting,
            SubchannelState::Ready(_) => member.state = RingMemberState::Ready,
            SubchannelState::TransientFailure(status) => {
                control.resolve_again();
                member.state = RingMemberState::Failed(status);
            }
        }
        self.has_news = true;
    }

    fn reconfigure(&mut self, balance: &dyn Balance) -> bool {
        let same = (balance as &dyn Any).downcast_ref::<RingHash>();
        if let Some(options) = same {
            self.options = options.clone();
        }
        same.is_some()
    }

    fn settled(&mut self, control: &mut Control<'_>) {
        if std::mem::take(&mut self.has_news) {
            self.publish(control);
        }
    }

    /// One connection, since no call says which; and those that failed do not wait.
    fn connect(&mut self, _control: &mut Control<'_>) {
        for member in &self.members {
            if let RingMemberState::Failed(_) = member.state {
                member.subchannel.connect();
            }
        }
        let is_ready = |member: &RingMember| matches!(member.state, RingMemberState::Ready);
        if !self.members.iter().any(is_ready) {
            self.connect_one();
        }
    }
}

impl Hashed {
    fn publish(&mut self, control: &mut Control<'_>) {
        if self.members.is_empty() {
            let status = self.last_failure.clone().unwrap_or_else(empty);
            return control.publish(ConnectivityState::TransientFailure, Picks::fail(status));
        }
        let state = self.state();
        if let ConnectivityState::TransientFailure | ConnectivityState::Connecting = state {
            self.connect_one();
        }
        let members = self.members.iter();
        let picker = Walk {
            ring: Arc::clone(&self.ring),
            is_connecting: AtomicBool::new(self.is_connecting()),
            members: members
                .map(|member| (member.subchannel.clone(), member.state.clone()))
                .collect(),
            header: self.options.header.clone(),
            chance: Chance::default(),
        };
        control.publish(state, Picks::by(picker));
    }

    /// gRFC A42: two that failed tell that the others will, as most are never tried.
    fn state(&self) -> ConnectivityState {
        let count = |is: fn(&RingMemberState) -> bool| {
            let members = self.members.iter();
            members.filter(|member| is(&member.state)).count()
        };
        let failed = count(|state| matches!(state, RingMemberState::Failed(_)));
        if count(|state| matches!(state, RingMemberState::Ready)) > 0 {
            ConnectivityState::Ready
        } else if failed >= 2 {
            ConnectivityState::TransientFailure
        } else if count(|state| matches!(state, RingMemberState::Connecting)) > 0
            || failed == 1 && self.members.len() > 1
        {
            ConnectivityState::Connecting
        } else if count(|state| matches!(state, RingMemberState::Idle(_))) > 0 {
            ConnectivityState::Idle
        } else {
            ConnectivityState::TransientFailure
        }
    }

    /// Whether one connects, or was told to.
    fn is_connecting(&self) -> bool {
        self.members.iter().any(|member| match &member.state {
            RingMemberState::Idle(is_asked) => is_asked.load(Ordering::Relaxed),
            RingMemberState::Connecting => true,
            RingMemberState::Ready | RingMemberState::Failed(_) => false,
        })
    }

    /// Has one that rests connect, unless one does: while calls fail nobody else would.
    fn connect_one(&self) {
        if self.is_connecting() {
            return;
        }
        for member in &self.members {
            if let RingMemberState::Idle(is_asked) = &member.state {
                wake(&member.subchannel, is_asked);
                return;
            }
        }
    }
}

/// The ring, and what is so of those on it.
struct Walk {
    ring: Arc<Ring>,
    members: Vec<(Subchannel, RingMemberState)>,
    /// One connects, or was told to by a call that goes anywhere.
    is_connecting: AtomicBool,
    header: Option<Arc<str>>,
    chance: Chance,
}

impl Picker for Walk {
    fn pick(&self, args: &PickArgs<'_>) -> Pick<'_> {
        match self.key(args.metadata()) {
            Some(key) => self.keyed(hash(0, key.as_bytes())),
            None => self.anywhere(self.random()),
        }
    }
}

impl Walk {
    fn key<'a>(&self, metadata: &'a Metadata) -> Option<Cow<'a, str>> {
        let mut values = metadata
            .get_all(self.header.as_deref()?)
            .filter_map(MetadataValue::as_str);
        let first = values.next()?;
        let key = values.fold(Cow::Borrowed(first), |key, value| {
            Cow::Owned(format!("{key},{value}"))
        });
        (!key.is_empty()).then_some(key)
    }

    fn random(&self) -> u64 {
        #[expect(clippy::cast_sign_loss, reason = "from 0 on")]
        let half = || (self.chance.next() * f64::from(u32::MAX)) as u64;
        half() << 32 | half()
    }

    fn members(&self, hash: u64) -> impl Iterator<Item = &(Subchannel, RingMemberState)> {
        self.ring
            .from(hash)
            .filter_map(|number| self.members.get(number))
    }

    /// The first that has not failed has the call.
    fn keyed(&self, hash: u64) -> Pick<'_> {
        for (subchannel, state) in self.members(hash) {
            match state {
                RingMemberState::Ready => return Pick::Use(subchannel, None),
                RingMemberState::Idle(is_asked) => {
                    wake(subchannel, is_asked);
                    return Pick::Wait;
                }
                RingMemberState::Connecting => return Pick::Wait,
                RingMemberState::Failed(_) => {}
            }
        }
        self.failed(hash)
    }

    /// The first that is ready has the call; on the way there one may be told to
    /// connect, unless one does.
    fn anywhere(&self, hash: u64) -> Pick<'_> {
        for (subchannel, state) in self.members(hash) {
            match state {
                RingMemberState::Ready => return Pick::Use(subchannel, None),
                RingMemberState::Idle(is_asked) => {
                    if !self.is_connecting.swap(true, Ordering::Relaxed) {
                        wake(subchannel, is_asked);
                    }
                }
                RingMemberState::Connecting | RingMemberState::Failed(_) => {}
            }
        }
        if self.is_connecting.load(Ordering::Relaxed) {
            return Pick::Wait;
        }
        self.failed(hash)
    }

    /// All have: the call fails as its own did.
    fn failed(&self, hash: u64) -> Pick<'_> {
        match self.members(hash).next() {
            Some((_, RingMemberState::Failed(status))) => Pick::Fail(status.clone()),
            _ => Pick::Wait,
        }
    }
}

#[cfg(test)]
mod tests;
