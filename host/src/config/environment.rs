//! The environment: read once, here and by the command line, and passed on as a map.

use std::collections::BTreeMap;

use super::StoreOptions;

/// Beginnings of the variables that configure object stores: credentials, endpoints, regions.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// The variables of this process. Those that are not UTF-8 are left out: nothing here could use them.
pub fn of_process() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl StoreOptions {
    /// Those of the environment's variables that concern object stores: `AWS_…`, `GOOGLE_…`, `AZURE_…`.
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        let concerns = |name: &str| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let environment = environment
            .iter()
            .filter(|(name, _)| concerns(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self { environment }
    }
}

/// `value` with each `${env:NAME}` replaced by that variable. Everything else stays as it is.
///
/// # Errors
/// A sentence that names the variable that is not set, or what a `${env:` lacks. It never contains a value.
pub(super) fn substitute(
    value: &str,
    environment: &BTreeMap<String, String>,
) -> Result<String, String> {
    const OPEN: &str = "${env:";
    let mut result = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(OPEN) {
        result.push_str(&rest[..at]);
        rest = &rest[at + OPEN.len()..];
        let end = rest.find('}').ok_or("`${env:` has no closing `}`: write ${env:NAME}")?;
        let name = &rest[..end];
        let variable = environment.get(name).ok_or_else(|| {
            format!(
                "the environment variable `{name}` is not set: set it, or write the value itself"
            )
        })?;
        result.push_str(variable);
        rest = &rest[end + 1..];
    }
    result.push_str(rest);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::substitute;
    use crate::config::StoreOptions;

    fn environment() -> BTreeMap<String, String> {
        let variables = [("USER", "ann"), ("PASS", "${env:USER}"), ("AWS_REGION", "eu-1")];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn variables_are_put_in_once() {
        let value = substitute("u=${env:USER} p=${env:PASS}$", &environment());
        assert_eq!(value.unwrap(), "u=ann p=${env:USER}$");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = substitute("secret ${env:TOKEN}", &environment()).unwrap_err();
        assert!(error.contains("`TOKEN` is not set") && !error.contains("secret"), "{error}");
        assert!(substitute("${env:USER", &environment()).unwrap_err().contains("no closing"));
    }

    #[test]
    fn a_store_gets_only_what_concerns_it() {
        let options = StoreOptions::from_environment(&environment());
        assert_eq!(options.environment.keys().collect::<Vec<_>>(), ["AWS_REGION"]);
    }
}
