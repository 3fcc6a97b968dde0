//! What gRFC A6 says of a channel's tokens and of its calls' attempts: a model, written
//! from its words.

use std::time::Duration;

use grpc_runtime::{Code, Metadata, Status};
use grpc_testing::Reply;

use super::seeds::Dice;

/// The codes that policies name.
pub(crate) const CODES: [Code; 2] = [Code::Unavailable, Code::Aborted];

/// Events that are closer than these milliseconds may come in any order.
const GAP: u64 = 4;

const MS: Duration = Duration::from_millis(1);

/// The tokens of a channel, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) left: u64,
    pub(crate) most: u64,
    pub(crate) ratio: u64,
}

impl Tokens {
    pub(crate) fn new(most: u64, ratio: u64) -> Self {
        let left = most;
        Self { left, most, ratio }
    }

    /// Whether further attempts are sent.
    fn allow(&self) -> bool {
        2 * self.left > self.most
    }

    /// An attempt has ended so, of a method that has a policy or none.
    fn count(&mut self, answer: &Answer, has_policy: bool) {
        match answer.end {
            End::Ok => self.left = (self.left + self.ratio).min(self.most),
            End::Fails(_) if answer.stops() || has_policy && answer.is_repeatable() => {
                self.left = self.left.saturating_sub(1_000);
            }
            End::Fails(_) | End::Hangs => {}
        }
    }

    /// The channel has another config: these are as full as those before.
    pub(crate) fn rescaled(self, before: Self) -> Self {
        let left = before.left * self.most / before.most;
        Self { left, ..self }
    }
}

/// The wait in milliseconds that a server asks for, with what it said of it in trailing
/// metadata; none where it wants no further attempts.
pub(crate) fn wait(said: &[&str]) -> Option<u64> {
    match said {
        [] => Some(0),
        [said] => said.parse::<i32>().ok()?.try_into().ok(),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Ok,
    Fails(Code),
    /// Nothing comes, until the caller gives up.
    Hangs,
}

/// What comes ahead of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    None,
    /// Initial metadata, at once.
    Metadata,
    /// A message, a while before.
    Message,
}

/// What one attempt is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    end: End,
    head: Head,
    pushback: &'static [&'static str],
    /// In milliseconds.
    delay: u64,
}

impl Answer {
    /// Some `luck` in 8 are OK.
    pub(crate) fn roll(dice: &mut Dice, luck: u64) -> Self {
        let end = match dice.roll(24) {
            0 => End::Hangs,
            1..=3 => End::Fails([Code::Internal, Code::InvalidArgument][dice.roll(2) as usize]),
            _ if dice.roll(8) < luck => End::Ok,
            _ => End::Fails(CODES[dice.roll(2) as usize]),
        };
        let head = match dice.roll(12) {
            0 if end != End::Hangs => Head::Metadata,
            1 => Head::Message,
            _ => Head::None,
        };
        let pushback: &[&str] = match dice.roll(24) {
            0 => &["-1"],
            1 => &["soon"],
            2 => &[""],
            3 => &["2147483648"],
            4 => &["20", "20"],
            5 => &["0"],
            6 => &["20"],
            7..11 => &["150"],
            _ => &[],
        };
        // Initial metadata do not wait for what comes behind them.
        let waits = head != Head::Metadata && dice.roll(2) == 0;
        let delay = if waits { GAP + dice.roll(250) } else { 0 };
        Self {
            end,
            head,
            pushback,
            delay,
        }
    }

    pub(crate) fn hangs(&self) -> bool {
        self.end == End::Hangs
    }

    pub(crate) fn has_head(&self) -> bool {
        self.head != Head::None
    }

    /// It is the call's, whatever its end.
    fn is_committed(&self) -> bool {
        self.end == End::Ok || self.has_head()
    }

    /// Its code is one that policies name.
    fn is_repeatable(&self) -> bool {
        matches!(self.end, End::Fails(code) if CODES.contains(&code))
    }

    fn stops(&self) -> bool {
        wait(self.pushback).is_none()
    }

    /// What its caller gets.
    fn code(&self) -> Code {
        match self.end {
            End::Ok => Code::Ok,
            End::Fails(code) => code,
            End::Hangs => Code::DeadlineExceeded,
        }
    }

    pub(crate) fn reply(&self) -> Reply {
        let said = self.pushback.iter();
        let said = said.map(|said| ("grpc-retry-pushback-ms", *said));
        let trailing = Metadata::from_pairs(said).unwrap();
        let reply = if self.end == End::Ok || self.head == Head::Message {
            Reply::message(&"done".to_owned())
        } else {
            Reply::empty()
        };
        let reply = match self.head {
            Head::None => reply,
            Head::Metadata => {
                reply.initial_metadata(Metadata::from_pairs([("x-head", "1")]).unwrap())
            }
            Head::Message => reply.then_delay(30 * MS),
        };
        let reply = match self.end {
            End::Ok => reply.trailing_metadata(trailing),
            End::Fails(code) => reply.then_status(Status::new(code, "no").with_metadata(trailing)),
            End::Hangs => reply.then_hang(),
        };
        reply.delay(u32::try_from(self.delay).unwrap() * MS)
    }
}

/// How a call goes.
#[derive(Clone, Debug)]
pub(crate) struct Foreseen {
    /// Of its attempts, in their order.
    pub(crate) answers: Vec<Answer>,
    pub(crate) code: Code,
}

/// A call that has one attempt, of a method that has a policy or none.
pub(crate) fn once(tokens: &mut Tokens, answer: Answer, has_policy: bool) -> Foreseen {
    tokens.count(&answer, has_policy);
    Foreseen {
        answers: vec![answer],
        code: answer.code(),
    }
}

/// A call whose method has a retry policy.
pub(crate) fn retried(
    tokens: &mut Tokens,
    attempts: usize,
    mut roll: impl FnMut() -> Answer,
) -> Foreseen {
    let mut answers = Vec::new();
    loop {
        let answer = roll();
        answers.push(answer);
        tokens.count(&answer, true);
        let may_follow = answer.is_repeatable() && !answer.is_committed() && !answer.stops();
        if !may_follow || !tokens.allow() || answers.len() == attempts {
            let code = answer.code();
            return Foreseen { answers, code };
        }
    }
}

/// A call whose method has a hedging policy, with this delay. None where chance has the
/// order of what happens, or where A6 is silent: an attempt fails while the next one has
/// its time from a server.
pub(crate) fn hedged(
    tokens: &mut Tokens,
    attempts: usize,
    delay: u64,
    mut roll: impl FnMut() -> Answer,
) -> Option<Foreseen> {
    let mut after = *tokens;
    let mut answers = Vec::new();
    // When an answer comes, and which; when the next attempt is sent, and whether a
    // server named that time.
    let mut coming: Vec<(u64, usize)> = Vec::new();
    let mut next = Some((0, false));
    let mut hanging = 0;
    let code = loop {
        coming.sort_unstable();
        let mut times: Vec<u64> = coming.iter().map(|(at, _)| *at).collect();
        times.extend(next.map(|(at, _)| at));
        times.sort_unstable();
        if times.len() > 1 && times[1] - times[0] < GAP {
            return None;
        }
        let Some(now) = times.first().copied() else {
            break Code::DeadlineExceeded;
        };
        if next.is_some_and(|(at, _)| at == now) {
            next = None;
            if answers.is_empty() || after.allow() {
                let answer = roll();
                if answer.hangs() && !answer.is_committed() {
                    hanging += 1;
                } else {
                    coming.push((now + answer.delay, answers.len()));
                }
                answers.push(answer);
                next = (answers.len() < attempts).then_some((now + delay, false));
            }
            continue;
        }
        let (_, place) = coming.remove(0);
        let answer: &Answer = &answers[place];
        after.count(answer, true);
        if !answer.is_repeatable() || answer.is_committed() {
            break answer.code();
        }
        next = match (next, wait(answer.pushback)) {
            (Some(_), Some(_)) if !after.allow() => None,
            (Some((_, true)), Some(_)) => return None,
            (Some(_), Some(wait)) => Some((now + wait, wait > 0)),
            (None, _) | (_, None) => None,
        };
        if next.is_none() && coming.is_empty() && hanging == 0 {
            break answer.code();
        }
    };
    *tokens = after;
    Some(Foreseen { answers, code })
}
