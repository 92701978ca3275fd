//! Makes the service without a .proto file: its messages are the wrappers,
//! which are Rust's own types to prost.

use tonic_build::manual::{Builder, Method, Service};

const CODEC: &str = "tonic_prost::ProstCodec";

fn method(name: &str, route: &str, input: &str, output: &str, streams: (bool, bool)) -> Method {
    let mut method = Method::builder()
        .name(name)
        .route_name(route)
        .input_type(input)
        .output_type(output)
        .codec_path(CODEC);
    if streams.0 {
        method = method.client_streaming();
    }
    if streams.1 {
        method = method.server_streaming();
    }
    method.build()
}

fn main() {
    let text = "::std::string::String";
    let bytes = "::bytes::Bytes";
    let service = Service::builder()
        .name("Bench")
        .package("grpclib.bench")
        .method(method("unary", "Unary", text, text, (false, false)))
        .method(method("unary_bytes", "UnaryBytes", bytes, bytes, (false, false)))
        .method(method("download", "Download", "i32", text, (false, true)))
        .method(method("upload", "Upload", text, "i32", (true, false)))
        .method(method("chat", "Chat", text, text, (true, true)))
        .method(method("download_bytes", "DownloadBytes", "i32", bytes, (false, true)))
        .method(method("upload_bytes", "UploadBytes", bytes, "i32", (true, false)))
        .build();
    Builder::new().compile(&[service]);
}
