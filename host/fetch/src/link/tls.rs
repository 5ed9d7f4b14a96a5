//! Encrypted connections: whom to trust, and who we are.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// What is checked of a broker's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Who signed it, when it is valid, and that it is for the host that was asked.
    #[default]
    All,
    /// All but the name of the host.
    ButTheName,
    /// Nothing: anybody can pretend to be the broker.
    Nothing,
}

/// How connections are encrypted, as PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// The authorities that are trusted; none for those of the machine.
    pub authorities: Option<Vec<u8>>,
    /// Our certificate, with those that lead to an authority, and its key.
    pub identity: Option<Identity>,
    /// What is checked.
    pub verify: Verify,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate, with those that lead to an authority.
    pub certificate: Vec<u8>,
    /// Not encrypted.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// What encrypted connections are made with.
#[derive(Clone, Debug)]
pub struct Tls(pub(super) Arc<ClientConfig>);

impl Tls {
    /// Reads certificates and keys.
    ///
    /// # Errors
    ///
    /// What cannot be read, named by librdkafka's property for it.
    pub fn new(options: &TlsOptions) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier::new(options, &provider)?);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &options.identity {
            None => config.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates("ssl.certificate.location", certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|error| unreadable("ssl.key.location", "key", &error))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| unreadable("ssl.key.location", "key", &error))?
            }
        };
        Ok(Self(Arc::new(config)))
    }
}

fn unreadable(property: &str, what: &str, error: &impl fmt::Display) -> String {
    format!("`{property}` has no {what} that can be read: {error}")
}

fn certificates(property: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| unreadable(property, "certificate", &error))?;
    if found.is_empty() {
        return Err(unreadable(property, "certificate", &"it holds none as PEM"));
    }
    Ok(found)
}

/// What is checked of a broker's certificate, and by whom.
#[derive(Debug)]
struct Verifier {
    verify: Verify,
    /// None if nothing is checked.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(options: &TlsOptions, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let (verify, provider) = (options.verify, Arc::clone(provider));
        if verify == Verify::Nothing {
            return Ok(Self { verify, authorities: None, provider });
        }
        let mut roots = RootCertStore::empty();
        let found = match &options.authorities {
            Some(pem) => certificates("ssl.ca.location", pem)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        roots.add_parsable_certificates(found);
        let built =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let authorities = built.build().map_err(|_| {
            "this machine trusts no authority: name one in `ssl.ca.location`".to_owned()
        })?;
        Ok(Self { verify, authorities: Some(authorities), provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        let verified = authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // The name is looked at last: all else was right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.verify == Verify::ButTheName => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
