// grpc-js as a load client of an interop server: repeats one kind of call on one
// channel until the time is up, and prints a line of JSON. Ends with 1 if a call did
// not end as it should.
'use strict';

const { once } = require('events');
const grpc = require('@grpc/grpc-js');
const { flags, testing } = require('../../interop/node/contract');

// What a call may take after the time is up, before it counts as stuck.
const PATIENCE = 20;

const options = flags({
  server_port: '',
  work: 'download',
  size: '1024',
  messages: '1000',
  streams: '1',
  seconds: '5',
  cancel_every: '0',
});
const [size, messages, streams, seconds, cancelEvery] = [
  options.size,
  options.messages,
  options.streams,
  options.seconds,
  options.cancel_every,
].map(Number);

const stub = new testing.TestService(
  `127.0.0.1:${options.server_port}`,
  grpc.credentials.createInsecure(),
);
const tally = { calls: 0, cancelled: 0, messages: 0, bytes: 0, seconds: 0, failures: [] };
const payload = { body: Buffer.alloc(size) };
const bound = () => ({ deadline: Date.now() + (seconds + PATIENCE) * 1000 });

// Reads all responses. A call that is cancelled after the first has to end so, unless
// all had come before.
async function responses(call, cancel) {
  let came = 0;
  let stopped = false;
  try {
    for await (const response of call) {
      if (stopped) continue;
      const length = response.payload.body.length;
      if (length !== size) throw new Error(`a message of ${length} bytes came`);
      came += 1;
      if (cancel) {
        stopped = true;
        call.cancel();
      }
    }
  } catch (error) {
    if (!stopped || error.code !== grpc.status.CANCELLED) throw error;
  } finally {
    tally.messages += came;
    tally.bytes += came * size;
  }
  if (!cancel && came !== messages) throw new Error(`${came} of ${messages} messages came`);
}

// Writes the same again and again, as the stream takes it, until the call ends.
async function requests(call, request, ended) {
  for (let n = 0; n < messages; n += 1) {
    if (call.write(request)) continue;
    // An error is no drain; it is told where the call's end is awaited.
    const drained = once(call, 'drain').then(
      () => false,
      () => true,
    );
    if (await Promise.race([drained, ended])) return;
  }
  call.end();
}

const works = {
  download(cancel) {
    const responseParameters = Array.from({ length: messages }, () => ({ size }));
    return responses(stub.streamingOutputCall({ responseParameters }, bound()), cancel);
  },
  async bidi(cancel) {
    const call = stub.fullDuplexCall(bound());
    const ended = responses(call, cancel);
    const over = ended.then(
      () => true,
      () => true,
    );
    await requests(call, { responseParameters: [{ size }], payload }, over);
    await ended;
  },
  async upload(cancel) {
    let call;
    const answer = new Promise((resolve, reject) => {
      const done = (error, response) => (error ? reject(error) : resolve(response));
      call = stub.streamingInputCall(bound(), done);
    });
    if (cancel) {
      call.write({ payload }, () => call.cancel());
      await answer.then(
        () => {
          throw new Error('a cancelled call ended with OK');
        },
        (error) => {
          if (error.code !== grpc.status.CANCELLED) throw error;
        },
      );
      tally.messages += 1;
      tally.bytes += size;
      return;
    }
    const over = answer.then(
      () => true,
      () => true,
    );
    await requests(call, { payload }, over);
    const { aggregatedPayloadSize } = await answer;
    if (aggregatedPayloadSize !== size * messages) {
      throw new Error(`${aggregatedPayloadSize} of ${size * messages} bytes came`);
    }
    tally.messages += messages;
    tally.bytes += size * messages;
  },
};

// A stream ends with its first failure, since most failures are the connection's.
async function repeat(work, began) {
  while (Date.now() - began < seconds * 1000) {
    tally.calls += 1;
    const number = tally.calls;
    const cancel = cancelEvery > 0 && number % cancelEvery === 0;
    try {
      await work(cancel);
    } catch (error) {
      tally.failures.push(`call ${number}: ${error.message}`);
      return;
    }
    tally.cancelled += cancel ? 1 : 0;
  }
}

async function main() {
  const work = works[options.work];
  if (!work) throw new Error(`--work=${options.work} is none of ${Object.keys(works)}`);
  const began = Date.now();
  await Promise.all(Array.from({ length: streams }, () => repeat(work, began)));
  tally.seconds = (Date.now() - began) / 1000;
  console.log(JSON.stringify(tally));
  process.exit(tally.failures.length > 0 ? 1 : 0);
}

main();
