// gRPC's interop client on grpc-js, under the official flags: makes one case's
// calls, and ends with 0 if all went as the contract says.
'use strict';

const assert = require('assert/strict');
const { once } = require('events');
const grpc = require('@grpc/grpc-js');
const { INITIAL, TRAILING, flags, read, report, testing } = require('./contract');

const REQUESTS = [27182, 8, 1828, 45904];
const RESPONSES = [31415, 9, 2653, 58979];
const CONCURRENT = 1000;
const VALUES = { [INITIAL]: 'test_initial_metadata_value', [TRAILING]: Buffer.alloc(3, 0xab) };

const options = flags({
  server_host: '127.0.0.1',
  server_port: '',
  server_host_override: '',
  test_case: '',
  use_tls: 'false',
  ca_file: '',
  soak_iterations: '10',
});

// A stub over a channel that shares no connection with another; `extra` are
// options of the channel.
function stub(extra = {}, Stub = testing.TestService) {
  const credentials =
    options.use_tls === 'true'
      ? grpc.credentials.createSsl(read(options.ca_file))
      : grpc.credentials.createInsecure();
  const settings = { 'grpc.use_local_subchannel_pool': 1, ...extra };
  if (options.server_host_override) {
    settings['grpc.ssl_target_name_override'] = options.server_host_override;
    settings['grpc.default_authority'] = options.server_host_override;
  }
  return new Stub(`${options.server_host}:${options.server_port}`, credentials, settings);
}

// Long enough for anything that is not stuck.
const bound = () => ({ deadline: Date.now() + 30_000 });

// The response of a unary call, or its error.
function unary(client, method, request, metadata = new grpc.Metadata()) {
  return new Promise((resolve, reject) => {
    const done = (error, response) => (error ? reject(error) : resolve(response));
    client[method](request, metadata, bound(), done);
  });
}

const payload = (size) => ({ body: Buffer.alloc(size) });
const large = () => ({ responseSize: 314159, payload: payload(271828) });
const sized = (request, size, intervalUs = 0) => ({
  responseParameters: [{ size, intervalUs }],
  payload: payload(request),
});

function checkLarge(response) {
  assert(response.payload.body.equals(Buffer.alloc(314159)), 'the body is not 314159 zeros');
}

async function failed(promise, code) {
  const error = await promise.then(
    () => assert.fail('the call succeeded'),
    (error) => error,
  );
  assert.equal(error.code, code, `${error}`);
  return error;
}

// The sizes of all that a stream still brings. A failure is thrown.
async function sizes(call) {
  const found = [];
  for await (const response of call) found.push(response.payload.body.length);
  return found;
}

async function next(call) {
  const [response] = await once(call, 'data');
  return response.payload.body.length;
}

function metadata() {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(VALUES)) metadata.add(key, value);
  return metadata;
}

// Watches a call's metadata from its start, and checks it at its end.
function echoed(call) {
  const initial = once(call, 'metadata');
  const status = once(call, 'status');
  return async () => {
    assert.deepEqual((await initial)[0].get(INITIAL), [VALUES[INITIAL]]);
    assert.deepEqual((await status)[0].metadata.get(TRAILING), [VALUES[TRAILING]]);
  };
}

async function checkStatus(message) {
  const request = { responseStatus: { code: 2, message } };
  const error = await failed(unary(stub(), 'unaryCall', request), grpc.status.UNKNOWN);
  assert.equal(error.details, message);
}

async function soak(client) {
  for (let n = 0; n < Number(options.soak_iterations); n += 1) {
    checkLarge(await unary(client(), 'unaryCall', large()));
  }
}

const GZIP = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };

const cases = {
  empty_unary: async () => assert.deepEqual(await unary(stub(), 'emptyCall', {}), {}),
  large_unary: async () => checkLarge(await unary(stub(), 'unaryCall', large())),
  async concurrent_large_unary() {
    const client = stub();
    const calls = Array.from({ length: CONCURRENT }, () => unary(client, 'unaryCall', large()));
    for (const call of calls) checkLarge(await call);
  },
  async pick_first_unary() {
    const client = stub();
    const servers = new Set();
    for (let n = 0; n < 100; n += 1) {
      servers.add((await unary(client, 'unaryCall', { fillServerId: true })).serverId);
    }
    assert.equal(servers.size, 1);
    assert(!servers.has(''), 'the server has no id');
  },
  async client_streaming() {
    const response = await new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      const call = stub().streamingInputCall(bound(), done);
      for (const size of REQUESTS) call.write({ payload: payload(size) });
      call.end();
    });
    assert.equal(response.aggregatedPayloadSize, 74922);
  },
  async server_streaming() {
    const request = { responseParameters: RESPONSES.map((size) => ({ size })) };
    assert.deepEqual(await sizes(stub().streamingOutputCall(request, bound())), RESPONSES);
  },
  async ping_pong() {
    const call = stub().fullDuplexCall(bound());
    const end = once(call, 'end');
    for (const [n, size] of REQUESTS.entries()) {
      call.write(sized(size, RESPONSES[n]));
      assert.equal(await next(call), RESPONSES[n]);
    }
    call.end();
    await end;
  },
  async empty_stream() {
    const call = stub().fullDuplexCall(bound());
    call.end();
    assert.deepEqual(await sizes(call), []);
  },
  async custom_metadata() {
    let checked;
    const response = await new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      checked = echoed(stub().unaryCall(large(), metadata(), bound(), done));
    });
    checkLarge(response);
    await checked();
    const call = stub().fullDuplexCall(metadata(), bound());
    checked = echoed(call);
    call.write(sized(271828, 314159));
    call.end();
    assert.deepEqual(await sizes(call), [314159]);
    await checked();
  },
  async status_code_and_message() {
    const message = 'test status message';
    await checkStatus(message);
    const call = stub().fullDuplexCall(bound());
    call.end({ responseStatus: { code: 2, message } });
    assert.equal((await failed(sizes(call), grpc.status.UNKNOWN)).details, message);
  },
  special_status_message: () =>
    checkStatus('\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'),
  unimplemented_method: () =>
    failed(unary(stub(), 'unimplementedCall', {}), grpc.status.UNIMPLEMENTED),
  unimplemented_service: () =>
    failed(
      unary(stub({}, testing.UnimplementedService), 'unimplementedCall', {}),
      grpc.status.UNIMPLEMENTED,
    ),
  async cancel_after_begin() {
    const answer = new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      const call = stub().streamingInputCall(bound(), done);
      // In the next turn: before it, grpc-js has not begun the call.
      setImmediate(() => call.cancel());
    });
    await failed(answer, grpc.status.CANCELLED);
  },
  async cancel_after_first_response() {
    const call = stub().fullDuplexCall(bound());
    call.write(sized(27182, 31415));
    assert.equal(await next(call), 31415);
    call.cancel();
    await failed(sizes(call), grpc.status.CANCELLED);
  },
  async timeout_on_sleeping_server() {
    const call = stub().fullDuplexCall({ deadline: Date.now() + 1 });
    call.write(sized(27182, 31415, 10_000_000));
    await failed(sizes(call), grpc.status.DEADLINE_EXCEEDED);
  },
  async rpc_soak() {
    const client = stub();
    await soak(() => client);
  },
  channel_soak: () => soak(stub),
  async client_compressed_unary() {
    const [plain, gzip] = [stub(), stub(GZIP)];
    const request = (value) => ({ ...large(), expectCompressed: { value } });
    await failed(unary(plain, 'unaryCall', request(true)), grpc.status.INVALID_ARGUMENT);
    checkLarge(await unary(gzip, 'unaryCall', request(true)));
    checkLarge(await unary(plain, 'unaryCall', request(false)));
  },
  // grpc-js does not tell how a message came, only what it is.
  async server_compressed_unary() {
    for (const value of [true, false]) {
      checkLarge(await unary(stub(), 'unaryCall', { ...large(), responseCompressed: { value } }));
    }
  },
  async server_compressed_streaming() {
    const responseParameters = [
      { size: 31415, compressed: { value: true } },
      { size: 92653, compressed: { value: false } },
    ];
    const call = stub().streamingOutputCall({ responseParameters }, bound());
    assert.deepEqual(await sizes(call), [31415, 92653]);
  },
  // grpc-js tells its own policies alone; the report stays where it was.
  async orca_per_rpc() {
    const same = { requestCost: { cost: 3456.32 }, utilization: { util: 0.30499 } };
    const asked = { cpuUtilization: 0.821, memoryUtilization: 0.5847, ...same };
    let call;
    const answer = new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      call = stub().unaryCall({ orcaPerQueryReport: asked }, bound(), done);
    });
    const [[status]] = await Promise.all([once(call, 'status'), answer]);
    const [found] = status.metadata.get('endpoint-load-metrics-bin');
    assert.deepEqual(report(found), { cpuUtilization: 0.821, memUtilization: 0.5847, ...same });
  },
};

const run = cases[options.test_case];
if (!run) throw new Error(`--test_case=${options.test_case} is none of ${Object.keys(cases)}`);
run().then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
