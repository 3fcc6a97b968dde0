//! The client: makes each kind of call once.

use std::error::Error;

use crate::capitals::location;
use crate::{Feature, Point, Rectangle, RouteGuideStub, RouteNote};

/// One point in, one feature out.
pub(crate) async fn get_feature(
    stub: &RouteGuideStub,
    capitals: &[Feature],
) -> Result<(), Box<dyn Error>> {
    for point in [location(capitals, "Nairobi")?, Point::default()] {
        let feature = stub.get_feature(point).await?;
        match feature.name.as_str() {
            "" => println!("GetFeature: nothing at {}", degrees(point)),
            name => println!("GetFeature: {name} at {}", degrees(point)),
        }
    }
    Ok(())
}

/// The features arrive one by one, however many there are.
pub(crate) async fn list_features(stub: &RouteGuideStub) -> Result<(), Box<dyn Error>> {
    let scandinavia = Rectangle {
        lo: Some(Point {
            latitude: 550_000_000,
            longitude: 50_000_000,
        }),
        hi: Some(Point {
            latitude: 650_000_000,
            longitude: 200_000_000,
        }),
    };
    let mut features = stub.list_features(scandinavia).start();
    while let Some(feature) = features.next().await? {
        let point = feature.location.unwrap_or_default();
        println!("ListFeatures: {} at {}", feature.name, degrees(point));
    }
    Ok(())
}

/// The points go out one by one, and one summary comes back.
pub(crate) async fn record_route(
    stub: &RouteGuideStub,
    capitals: &[Feature],
) -> Result<(), Box<dyn Error>> {
    let mut route = stub.record_route().start();
    for name in ["London", "Paris", "Bern", "Rome", "Athens", "Cairo"] {
        route.send(location(capitals, name)?).await?;
    }
    let summary = route.finish().await?;
    println!(
        "RecordRoute: {} points, {} capitals, {} km",
        summary.point_count,
        summary.feature_count,
        summary.distance / 1000
    );
    Ok(())
}

/// Notes go out in one task while earlier ones come back in another.
pub(crate) async fn route_chat(
    stub: &RouteGuideStub,
    capitals: &[Feature],
) -> Result<(), Box<dyn Error>> {
    let notes = [
        ("Lima", "the fish is good"),
        ("Quito", "mind the height"),
        ("Lima", "the museum is closed on Mondays"),
        ("Quito", "the view is worth it"),
        ("Lima", "take a coat in July"),
    ];
    let mut route = Vec::new();
    for (name, message) in notes {
        route.push(RouteNote {
            location: Some(location(capitals, name)?),
            message: message.to_owned(),
        });
    }

    let (mut sender, mut receiver) = stub.route_chat().start();
    let sending = tokio::spawn(async move {
        for note in route {
            sender.send(note).await?;
        }
        sender.finish();
        Ok::<(), grpc_runtime::Status>(())
    });
    while let Some(note) = receiver.next().await? {
        let point = note.location.unwrap_or_default();
        println!("RouteChat: at {}: {}", degrees(point), note.message);
    }
    sending.await??;
    Ok(())
}

fn degrees(point: Point) -> String {
    let of = |e7: i32| f64::from(e7) / 1e7;
    format!("{:.2}, {:.2}", of(point.latitude), of(point.longitude))
}
