//! Generates the example's code, with the descriptors that its rules are in.

fn main() -> Result<(), grpc_build::Error> {
    grpc_build::Config::new()
        .file_descriptor_set(true)
        .compile(&["proto/accounts.proto"], &["proto"])
}
