//! Connections to the stores of clouds, with what the environment says of them.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, Result, RetryConfig};

use url::Url;

use crate::StorageError;
use crate::address::{Kind, StorageUrl};

/// Connects to the store of a URL, without a request.
pub(crate) fn cloud(url: &StorageUrl) -> std::result::Result<Arc<dyn ObjectStore>, StorageError> {
    let built = match url.kind {
        Kind::Gcs => gcs(url),
        Kind::Azure => azure(url),
        Kind::S3 | Kind::File => {
            let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap_or_default();
            let is_url = Url::parse(&endpoint)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !endpoint.is_empty() && !is_url {
                let problem = "`AWS_ENDPOINT_URL` is not a URL: it begins with `https://` or `http://`";
                return Err(StorageError::Store { url: url.to_string(), problem: problem.to_owned() });
            }
            if endpoint.starts_with("http://") && !is_set("AWS_ALLOW_HTTP") {
                let problem =
                    "`AWS_ENDPOINT_URL` is not encrypted: set `AWS_ALLOW_HTTP=true` if that is meant";
                return Err(StorageError::Store { url: url.to_string(), problem: problem.to_owned() });
            }
            s3(url)
        }
    };
    built.map_err(|error| StorageError::of_store(url, &error))
}

fn s3(url: &StorageUrl) -> Result<Arc<dyn ObjectStore>> {
    let client = client().with_allow_http(is_set("AWS_ALLOW_HTTP"));
    let builder = AmazonS3Builder::from_env().with_url(&url.root).with_retry(retries());
    Ok(Arc::new(builder.with_client_options(client).build()?))
}

fn gcs(url: &StorageUrl) -> Result<Arc<dyn ObjectStore>> {
    let client = client().with_allow_http(is_set("GOOGLE_ALLOW_HTTP"));
    let builder = GoogleCloudStorageBuilder::from_env().with_url(&url.root).with_retry(retries());
    Ok(Arc::new(builder.with_client_options(client).build()?))
}

fn azure(url: &StorageUrl) -> Result<Arc<dyn ObjectStore>> {
    let client = client().with_allow_http(is_set("AZURE_ALLOW_HTTP"));
    let builder = MicrosoftAzureBuilder::from_env().with_url(&url.root).with_retry(retries());
    Ok(Arc::new(builder.with_client_options(client).build()?))
}

/// Whether a variable is `true`.
fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| value.eq_ignore_ascii_case("true"))
}

fn client() -> ClientOptions {
    ClientOptions::new().with_connect_timeout(Duration::from_secs(5)).with_timeout(Duration::from_secs(60))
}

/// Requests are repeated with growing pauses, for a minute in all.
fn retries() -> RetryConfig {
    let (init_backoff, max_backoff) = (Duration::from_millis(100), Duration::from_secs(10));
    RetryConfig {
        max_retries: 40,
        retry_timeout: Duration::from_secs(60),
        backoff: BackoffConfig { init_backoff, max_backoff, base: 2.0 },
    }
}
