//! Query parameters of any text: a request that is accepted is written as parameters that mean the same
//! request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metricc_client::ReadRequest;

fuzz_target!(|text: &str| {
    let parameters: Vec<(String, String)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let Ok((request, _)) = ReadRequest::of_parameters("metric".to_owned(), parameters) else { return };
    let (again, _) = ReadRequest::of_parameters("metric".to_owned(), request.parameters())
        .expect("a request can be read back");
    assert_eq!(again, request);
});
