//! How brokers are spoken to: by the properties that librdkafka obeys.

use sluicegate_fetch::{Identity, Mechanism, Sasl, Security, Tls, TlsOptions, Verify};
use sluicegate_pipeline::ClientProperties;

use crate::source::SourceError;

/// Instead of a file: the authorities that the machine trusts.
const PROBE: &str = "probe";

/// Reads the files that the properties name.
///
/// # Errors
///
/// A file cannot be read, or holds something else. Values are not printed: they may be secrets.
pub(super) fn of(properties: &ClientProperties) -> Result<Security, SourceError> {
    let get = |key: &str| properties.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let protocol = get("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
    let (is_encrypted, is_named) = match protocol.as_str() {
        "ssl" => (true, false),
        "sasl_plaintext" => (false, true),
        "sasl_ssl" => (true, true),
        _ => (false, false),
    };
    Ok(Security {
        tls: is_encrypted.then(|| tls(properties)).transpose()?,
        sasl: is_named.then(|| sasl(properties)).transpose()?,
    })
}

fn tls(properties: &ClientProperties) -> Result<Tls, SourceError> {
    let get = |key: &str| properties.get(key).map(String::as_str).filter(|value| !value.is_empty());
    // As text, or in a file.
    let pem = |of: &str| match (get(&format!("{of}.pem")), get(&format!("{of}.location"))) {
        (Some(text), _) => Ok(Some(text.as_bytes().to_vec())),
        (None, None | Some(PROBE)) => Ok(None),
        (None, Some(path)) => std::fs::read(path).map(Some).map_err(|error| {
            refused(&format!("{of}.location"), &format!("`{path}` cannot be read: {error}"))
        }),
    };
    let identity = match (pem("ssl.certificate")?, pem("ssl.key")?) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
        (None, Some(_)) => return Err(refused("ssl.key.location", "a certificate belongs to it")),
        (Some(_), None) => return Err(refused("ssl.certificate.location", "a key belongs to it")),
    };
    let is = |key: &str, wanted: &str| get(key).is_some_and(|is| is.eq_ignore_ascii_case(wanted));
    let verify = if is("enable.ssl.certificate.verification", "false") {
        Verify::Nothing
    } else if is("ssl.endpoint.identification.algorithm", "none") {
        Verify::ButTheName
    } else {
        Verify::All
    };
    let options = TlsOptions { authorities: pem("ssl.ca")?, identity, verify };
    Tls::new(&options)
        .map_err(|reason| SourceError::Refused(format!("`source.kafka.properties`: {reason}")))
}

fn sasl(properties: &ClientProperties) -> Result<Sasl, SourceError> {
    let get = |key: &str| properties.get(key).cloned().unwrap_or_default();
    let names = ["sasl.mechanism", "sasl.mechanisms"];
    let name = names.into_iter().find_map(|key| properties.get(key));
    let mechanism = name.and_then(|name| Mechanism::of(name)).ok_or_else(|| {
        refused("sasl.mechanism", "it has to be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    })?;
    let sasl = Sasl { mechanism, username: get("sasl.username"), password: get("sasl.password") };
    if sasl.username.is_empty() {
        return Err(refused("sasl.username", "it is missing"));
    }
    Ok(sasl)
}

fn refused(property: &str, reason: &str) -> SourceError {
    SourceError::Refused(format!("`source.kafka.properties.\"{property}\"`: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn security(properties: &[(&str, &str)]) -> Result<Security, SourceError> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        of(&ClientProperties(properties.iter().map(owned).collect()))
    }

    #[test]
    fn properties_say_how_brokers_are_spoken_to() {
        let plain = security(&[]).unwrap();
        assert!(plain.tls.is_none() && plain.sasl.is_none());
        let encrypted = security(&[
            ("security.protocol", "SSL"),
            ("enable.ssl.certificate.verification", "false"),
        ]);
        assert!(encrypted.unwrap().tls.is_some());
        let sasl = security(&[
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanisms", "scram-sha-512"),
            ("sasl.username", "reader"),
            ("sasl.password", "secret"),
        ]);
        let sasl = sasl.unwrap().sasl.unwrap();
        assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
        assert_eq!(format!("{sasl:?}"), "SCRAM-SHA-512 as `reader`");
    }

    #[test]
    fn what_cannot_be_used_is_named_and_no_secret_is() {
        let words = |properties: &[(&str, &str)]| security(properties).unwrap_err().to_string();
        let sasl = ("security.protocol", "SASL_PLAINTEXT");
        let said = words(&[sasl, ("sasl.password", "secret")]);
        assert!(said.contains("sasl.mechanism") && !said.contains("secret"), "{said}");
        let tls = ("security.protocol", "SSL");
        let said = words(&[tls, ("ssl.ca.location", "/nowhere/ca.pem")]);
        assert!(said.contains("\"ssl.ca.location\"`: `/nowhere/ca.pem` cannot be read"), "{said}");
        let said = words(&[tls, ("ssl.ca.pem", "secret")]);
        assert!(said.contains("`ssl.ca.location` has no certificate"), "{said}");
        assert!(!said.contains("secret"), "{said}");
        let said = words(&[tls, ("ssl.key.pem", "secret")]);
        assert!(said.contains("a certificate belongs to it"), "{said}");
    }
}
