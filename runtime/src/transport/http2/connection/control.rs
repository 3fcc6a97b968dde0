//! Control frames: SETTINGS, PING, GOAWAY, WINDOW_UPDATE and RST_STREAM (RFC 9113 section
//! 6). Each is charged to the peer's budget.

use std::time::Instant;

use bytes::Bytes;

use super::receive::FrameResult;
use super::{Connection, DRAIN_PING, Drain, Role, too_many_controls, too_many_resets};
use crate::transport::http2::error_code::ErrorCode;
use crate::transport::http2::event::{ConnectionError, Event, ResetCause, StreamId};
use crate::transport::http2::frame::{self, FrameHead, SettingsFrame};

impl Connection {
    pub(super) fn receive_settings(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        let settings = match frame::Settings::parse(head, payload) {
            Ok(SettingsFrame::Settings(settings)) => settings,
            Ok(SettingsFrame::Ack) => {
                if !self.settings_acknowledged() {
                    return self.spend_control(now);
                }
                self.budgets.settings_acknowledged();
                return Ok(());
            }
            Err(error) => return self.frame_error(0, error, now),
        };
        self.spend_control(now)?;
        if self.role == Role::Client && settings.enable_push == Some(true) {
            return Err(ConnectionError::protocol("a server sent ENABLE_PUSH"));
        }
        self.settings_received = true;
        self.handshake_deadline = None;
        if let Some(size) = settings.header_table_size {
            self.encoder.set_max_table_size(size as usize);
        }
        if let Some(limit) = settings.max_concurrent_streams {
            self.peer.max_concurrent_streams = limit as usize;
            self.tally.permitted(limit);
        }
        if let Some(size) = settings.max_frame_size {
            self.peer.max_frame_size = size;
        }
        if let Some(size) = settings.max_header_list_size {
            self.peer.max_header_list_size = size as usize;
        }
        if let Some(window) = settings.initial_window_size {
            self.change_initial_window(window)?;
        }
        frame::Settings::encode_ack(self.output.buffer());
        self.induced += FrameHead::LEN;
        Ok(())
    }

    /// RFC 9113 section 6.9.2: the change applies to every open stream.
    pub(super) fn change_initial_window(&mut self, window: u32) -> FrameResult {
        let delta = i64::from(window) - i64::from(self.peer.initial_window);
        self.peer.initial_window = window;
        let mut unblocked = Vec::new();
        for (id, stream) in &mut self.streams {
            if stream.send.add(delta).is_err() {
                return Err(ConnectionError::new(
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "SETTINGS raised a stream's window above 2^31-1",
                ));
            }
            if stream.sendable() && !stream.scheduled {
                unblocked.push(*id);
            }
        }
        unblocked.sort_unstable();
        for id in unblocked {
            self.schedule(id);
        }
        Ok(())
    }

    pub(super) fn receive_ping(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        self.spend_control(now)?;
        let ping = match frame::Ping::parse(head, payload) {
            Ok(ping) => ping,
            Err(error) => return self.frame_error(0, error, now),
        };
        if !ping.ack {
            self.judge_ping(now)?;
            frame::Ping { ack: true, ..ping }.encode(self.output.buffer());
            self.induced += FrameHead::LEN + ping.data.len();
        } else if let Drain::Announced(_, reason) = self.drain
            && ping.data == DRAIN_PING
        {
            self.drain_finally(reason);
        }
        Ok(())
    }

    pub(super) fn receive_go_away(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        self.spend_control(now)?;
        let go_away = match frame::GoAway::parse(head, payload) {
            Ok(go_away) => go_away,
            Err(error) => return self.frame_error(0, error, now),
        };
        self.peer_going_away = true;
        self.tally.go_away(go_away.code.0);
        if self.role == Role::Client {
            let mut unprocessed: Vec<StreamId> = self
                .streams
                .keys()
                .copied()
                .filter(|id| *id > go_away.last_stream_id)
                .collect();
            unprocessed.sort_unstable();
            for id in unprocessed {
                self.remove(id);
                self.events.push_back(Event::Reset {
                    stream: id,
                    cause: ResetCause::Unprocessed,
                });
            }
        }
        let debug =
            Bytes::copy_from_slice(&go_away.debug_data[..go_away.debug_data.len().min(256)]);
        self.events.push_back(Event::GoAway {
            code: go_away.code,
            debug,
        });
        Ok(())
    }

    pub(super) fn receive_window_update(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        too_many_controls(self.budgets.window_update(now))?;
        let update = match frame::WindowUpdate::parse(head, payload) {
            Ok(update) => update,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        let increment = i64::from(update.increment);
        if update.stream_id == 0 {
            return self.send_window.add(increment).map_err(|_| {
                ConnectionError::new(
                    ErrorCode::FLOW_CONTROL_ERROR,
                    "WINDOW_UPDATE raised the connection's window above 2^31-1",
                )
            });
        }
        self.check_not_idle(update.stream_id)?;
        let Some(stream) = self.streams.get_mut(&update.stream_id) else {
            return Ok(());
        };
        if stream.send.add(increment).is_err() {
            let reason = "WINDOW_UPDATE raised the stream's window above 2^31-1";
            return self.violate(update.stream_id, ErrorCode::FLOW_CONTROL_ERROR, reason, now);
        }
        self.schedule(update.stream_id);
        Ok(())
    }

    pub(super) fn receive_reset(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        now: Instant,
    ) -> FrameResult {
        let reset = match frame::Reset::parse(head, payload) {
            Ok(reset) => reset,
            Err(error) => return self.frame_error(head.stream_id, error, now),
        };
        self.check_not_idle(reset.stream_id)?;
        match self.streams.get(&reset.stream_id) {
            // Only servers limit resets: a server that resets many of a client's calls
            // attacks nobody.
            Some(stream) if self.role == Role::Server => {
                too_many_resets(self.budgets.reset(stream.opened, stream.head_sent, now))?;
            }
            Some(_) => {}
            None => too_many_controls(self.budgets.late_reset(now))?,
        }
        if self.remove(reset.stream_id).is_some() {
            let cause = ResetCause::Peer(reset.code);
            self.events.push_back(Event::Reset {
                stream: reset.stream_id,
                cause,
            });
        }
        Ok(())
    }
}
