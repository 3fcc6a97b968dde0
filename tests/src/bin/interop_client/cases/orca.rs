//! What a server reports of its load (gRFC A51), as the channel's policy hears it.

use std::collections::HashMap;
use std::time::Duration;

use grpc_runtime::LoadReport;

use crate::client::{BOUND, Client};
use crate::failure::{Failure, equal};
use crate::{ResponseParameters, SimpleRequest, StreamingOutputCallRequest, TestOrcaReport};

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

/// By itself, whatever calls there are.
pub(super) async fn out_of_band(client: &Client) -> Result<(), Failure> {
    // The server has one client at a time say what it reports.
    let (mut requests, mut responses) = client.full_duplex().timeout(10 * BOUND).start();
    for (cpu, memory, util) in [(0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)] {
        let report = TestOrcaReport {
            cpu_utilization: cpu,
            memory_utilization: memory,
            request_cost: HashMap::new(),
            utilization: HashMap::from([("util".to_owned(), util)]),
        };
        let request = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters {
                size: 1,
                ..ResponseParameters::default()
            }],
            orca_oob_report: Some(report),
            ..StreamingOutputCallRequest::default()
        };
        requests.send(request).await?;
        if responses.next().await?.is_none() {
            return Err("the server ended the call in place of an answer".into());
        }
        let mut expected = LoadReport::new();
        expected
            .set_cpu_utilization(cpu)
            .set_memory_utilization(memory)
            .set_utilization("util", util);
        let told = tokio::time::timeout(BOUND, async {
            loop {
                // A call's own report would go first.
                client.unary(SimpleRequest::default()).await?;
                let own = client.reports.with_next_end().await?;
                let found = own.or_else(|| client.reports.out_of_band());
                if found.as_ref() == Some(&expected) {
                    return Ok::<(), Failure>(());
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let missing = |_| {
            let last = client.reports.out_of_band();
            format!("{expected:?} was not reported within {BOUND:?}, and last {last:?}")
        };
        told.await.map_err(missing)??;
    }
    requests.finish();
    equal("what is left of the call", &responses.next().await?, &None)
}
