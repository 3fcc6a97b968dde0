// gRPC's interop server on grpc-js, under the official flags.
//
// grpc-js tells a handler nothing of how a request was compressed, and compresses
// no response, so the cases that probe either are not for this server.
'use strict';

const grpc = require('@grpc/grpc-js');
const { INITIAL, TRAILING, flags, read, testing } = require('./contract');

const options = flags({ port: '0', use_tls: 'false', tls_cert_file: '', tls_key_file: '' });

// Echoes into the response's head, and gives the trailers.
function echo(call) {
  const initial = new grpc.Metadata();
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(INITIAL)) initial.add(INITIAL, value);
  for (const value of call.metadata.get(TRAILING)) trailing.add(TRAILING, value);
  call.sendMetadata(initial);
  return trailing;
}

function failure(status, trailing) {
  if (!status || status.code === 0) return null;
  return { code: status.code, details: status.message, metadata: trailing };
}

const payload = (kind, size) => ({ type: kind, body: Buffer.alloc(size) });

function unary(call, callback) {
  const trailing = echo(call);
  const request = call.request;
  const response = {
    payload: payload(request.responseType, request.responseSize),
    serverId: request.fillServerId ? `node-${process.pid}` : '',
  };
  const error = failure(request.responseStatus, trailing);
  callback(error, response, trailing);
}

// Answers one request; true unless the call has ended.
async function answer(call, request, trailing) {
  const error = failure(request.responseStatus, trailing);
  if (error) {
    call.emit('error', error);
    return false;
  }
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs > 0) await new Promise((done) => setTimeout(done, intervalUs / 1000));
    if (call.cancelled) return false;
    call.write({ payload: payload(request.responseType, size) });
  }
  return true;
}

const service = {
  emptyCall: (call, callback) => callback(null, {}, echo(call)),
  unaryCall: unary,
  async streamingOutputCall(call) {
    const trailing = echo(call);
    if (await answer(call, call.request, trailing)) call.end(trailing);
  },
  streamingInputCall(call, callback) {
    const trailing = echo(call);
    let total = 0;
    call.on('data', (request) => (total += request.payload.body.length));
    call.on('end', () => callback(null, { aggregatedPayloadSize: total }, trailing));
    call.on('error', () => {});
  },
  fullDuplexCall(call) {
    const trailing = echo(call);
    let before = Promise.resolve(true);
    call.on('data', (request) => {
      before = before.then((open) => open && answer(call, request, trailing));
    });
    call.on('end', () => before.then((open) => open && call.end(trailing)));
    call.on('error', () => {});
  },
};

const server = new grpc.Server();
// Without a handler of its own a method is UNIMPLEMENTED.
server.addService(testing.TestService.service, service);
const credentials =
  options.use_tls === 'true'
    ? grpc.ServerCredentials.createSsl(null, [
        { private_key: read(options.tls_key_file), cert_chain: read(options.tls_cert_file) },
      ])
    : grpc.ServerCredentials.createInsecure();
server.bindAsync(`127.0.0.1:${options.port}`, credentials, (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});
process.on('SIGTERM', () => process.exit());
