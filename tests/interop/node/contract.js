// What the client and the server share: the contract's services, and flags.
'use strict';

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const folder = path.join(__dirname, '../../proto');
const protos = path.join(folder, 'grpc/testing');
const definition = loader.loadSync(path.join(protos, 'test.proto'), {
  includeDirs: [protos],
  defaults: true,
});

const services = path.join(__dirname, '../../../runtime/services/proto');
const orca = loader.loadSync(path.join(services, 'xds/service/orca/v3/orca.proto'), {
  includeDirs: [services],
});

// A report of a server's load, from its bytes.
exports.report = orca['xds.service.orca.v3.OpenRcaService'].StreamCoreMetrics.responseDeserialize;
exports.testing = grpc.loadPackageDefinition(definition).grpc.testing;
exports.INITIAL = 'x-grpc-test-echo-initial';
exports.TRAILING = 'x-grpc-test-echo-trailing-bin';

// `--name=value` arguments; what is not among `known` is a mistake.
exports.flags = (known) => {
  const flags = { ...known };
  for (const argument of process.argv.slice(2)) {
    const [, name, value] = /^--?(\w+)=(.*)$/.exec(argument) || [];
    if (!(name in known)) throw new Error(`${argument} is not known here`);
    flags[name] = value;
  }
  return flags;
};

exports.read = (file) => fs.readFileSync(file);
