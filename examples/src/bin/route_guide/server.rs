//! The guide's service. Its lock is free while it waits for a caller.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use grpc_runtime::{Context, Receiver, Sender, Status};

use crate::geometry::{contains, distance};
use crate::{Feature, Point, Rectangle, RouteGuideServicer, RouteNote, RouteSummary};

/// Notes by latitude and longitude.
type Notes = HashMap<(i32, i32), Vec<RouteNote>>;

pub(crate) struct Guide {
    features: Vec<Feature>,
    notes: Mutex<Notes>,
}

impl Guide {
    pub(crate) fn new(features: Vec<Feature>) -> Self {
        Self {
            features,
            notes: Mutex::default(),
        }
    }

    fn feature_at(&self, point: Point) -> Option<&Feature> {
        let at = |feature: &&Feature| feature.location == Some(point);
        self.features.iter().find(at)
    }

    /// Adds a note, and returns those that were at its place before.
    fn leave(&self, note: RouteNote) -> Vec<RouteNote> {
        let point = note.location.unwrap_or_default();
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let here = notes.entry((point.latitude, point.longitude)).or_default();
        let earlier = here.clone();
        here.push(note);
        earlier
    }
}

impl RouteGuideServicer for Guide {
    async fn get_feature(&self, point: Point, _context: &mut Context) -> Result<Feature, Status> {
        let feature = self.feature_at(point).cloned();
        Ok(feature.unwrap_or_else(|| Feature {
            name: String::new(),
            location: Some(point),
        }))
    }

    async fn list_features(
        &self,
        rectangle: Rectangle,
        features: &mut Sender<Feature>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        for feature in &self.features {
            if contains(&rectangle, feature.location.unwrap_or_default()) {
                features.send(feature.clone()).await?;
            }
        }
        Ok(())
    }

    async fn record_route(
        &self,
        points: &mut Receiver<Point>,
        _context: &mut Context,
    ) -> Result<RouteSummary, Status> {
        let mut summary = RouteSummary::default();
        let mut metres = 0.0;
        let mut last = None;
        let mut began = None;
        while let Some(point) = points.next().await? {
            began.get_or_insert_with(Instant::now);
            summary.point_count += 1;
            summary.feature_count += i32::from(self.feature_at(point).is_some());
            metres += last.map_or(0.0, |last| distance(last, point));
            last = Some(point);
        }
        summary.distance = metres as i32;
        let elapsed = began.map_or(0, |began| began.elapsed().as_secs());
        summary.elapsed_time = elapsed.try_into().unwrap_or(i32::MAX);
        Ok(summary)
    }

    async fn route_chat(
        &self,
        notes: &mut Receiver<RouteNote>,
        replies: &mut Sender<RouteNote>,
        _context: &mut Context,
    ) -> Result<(), Status> {
        while let Some(note) = notes.next().await? {
            for earlier in self.leave(note) {
                replies.send(earlier).await?;
            }
        }
        Ok(())
    }
}
