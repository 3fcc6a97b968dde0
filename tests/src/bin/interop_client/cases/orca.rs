//! What a server reports of its load (gRFC A51), as the channel's policy hears it.

use std::collections::HashMap;

use grpc_runtime::LoadReport;

use crate::client::Client;
use crate::failure::{Failure, equal};
use crate::{SimpleRequest, TestOrcaReport};

/// With the end of each call.
pub(super) async fn per_rpc(client: &Client) -> Result<(), Failure> {
    let call = client.unary(SimpleRequest {
        orca_per_query_report: Some(TestOrcaReport {
            cpu_utilization: 0.8210,
            memory_utilization: 0.5847,
            request_cost: HashMap::from([("cost".to_owned(), 3456.32)]),
            utilization: HashMap::from([("util".to_owned(), 0.30499)]),
        }),
        ..SimpleRequest::default()
    });
    call.await?;
    let mut expected = LoadReport::new();
    expected
        .set_cpu_utilization(0.8210)
        .set_memory_utilization(0.5847)
        .set_request_cost("cost", 3456.32)
        .set_utilization("util", 0.30499);
    let found = client.reports.with_next_end().await?;
    equal("the call's report", &found, &Some(expected))?;

    // A call that asks for nothing has nothing of the one before it; some servers report
    // just that.
    client.unary(SimpleRequest::default()).await?;
    let found = client.reports.with_next_end().await?;
    let none = LoadReport::new();
    equal("the next call's report", &found.unwrap_or_default(), &none)
}
