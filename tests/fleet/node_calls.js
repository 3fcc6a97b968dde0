// grpc-js' calls for the comparison under one service config: reads a plan, makes its
// calls and prints lines as our scripted_client does.
'use strict';

const fs = require('fs');
const { setTimeout: pause } = require('timers/promises');
const grpc = require('@grpc/grpc-js');
const { testing } = require('../interop/node/contract');

// How many responses came, and the code's name.
function make(target, channel, call, id) {
  const settings = { channelOverride: channel };
  const credentials = grpc.credentials.createInsecure();
  const isOther = call.method === 'UnimplementedCall';
  const Stub = isOther ? testing.UnimplementedService : testing.TestService;
  const stub = new Stub(target, credentials, settings);
  const metadata = new grpc.Metadata({ waitForReady: true });
  metadata.set('x-call', id);
  metadata.set('x-script', call.script);
  const number = id.split('/').pop();
  for (const [key, value] of Object.entries(call.metadata)) {
    metadata.set(key, value.replace('{}', number));
  }
  const options = { deadline: Date.now() + call.timeout_ms };
  return new Promise((resolve) => {
    let responses = 0;
    const end = (code) => resolve({ code: grpc.status[code], responses });
    const done = (error) => {
      responses = error ? 0 : 1;
      end(error ? error.code : grpc.status.OK);
    };
    const write = (made) => {
      for (let n = 0; n < call.requests; n += 1) made.write({});
      made.end();
    };
    const read = (made) => {
      made.on('data', () => (responses += 1));
      made.on('status', (status) => end(status.code));
      made.on('error', () => {});
    };
    if (call.method === 'StreamingInputCall') {
      write(stub.streamingInputCall(metadata, options, done));
    } else if (call.method === 'StreamingOutputCall') {
      read(stub.streamingOutputCall({}, metadata, options));
    } else if (call.method === 'FullDuplexCall') {
      const made = stub.fullDuplexCall(metadata, options);
      read(made);
      write(made);
    } else {
      stub[call.method]({}, metadata, options, done);
    }
  });
}

// A channel that is connected.
async function connect({ target, config }, warmUp) {
  const channel = new grpc.Channel(target, grpc.credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config': JSON.stringify(config),
  });
  await make(target, channel, warmUp, '');
  return channel;
}

// Makes the calls of a case, one after the other.
async function run(channel, client, { name, target, calls }) {
  const told = [];
  for (const call of calls) {
    await pause(call.pause_ms);
    for (let n = 0; n < call.times; n += 1) {
      const began = performance.now();
      const id = `${client}/${name}/${told.length}`;
      const { code, responses } = await make(target, channel, call, id);
      told.push({ code, ms: performance.now() - began, responses });
    }
  }
  channel.close();
  console.log(JSON.stringify({ name, calls: told }));
}

async function main() {
  const { client, warm_up: warmUp, cases } = JSON.parse(fs.readFileSync(0));
  const channels = [];
  for (const one of cases) channels.push(await connect(one, warmUp));
  await Promise.all(cases.map((one, n) => run(channels[n], client, one)));
}

// What a call waits for that its deadline has ended would hold it up: another attempt.
main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
