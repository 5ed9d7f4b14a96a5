//! The environment: read once, here and by the command line, and passed on as a map.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use sluicegate_store::StoreOptions;

/// Beginnings of the variables that configure object stores: credentials, endpoints, regions.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// The variables of the process, read once at its start.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The variables of this process. Those that are not UTF-8 are left out: nothing here could use them.
    pub fn of_program() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables }
    }

    /// All of them, by name.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Those that concern object stores: `AWS_…`, `GOOGLE_…`, `AZURE_…`.
    pub fn stores(&self) -> StoreOptions {
        let concerns = |name: &str| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let concerning = self.variables.iter().filter(|(name, _)| concerns(name));
        let environment = concerning.map(|(name, value)| (name.clone(), value.clone())).collect();
        StoreOptions { environment }
    }

    /// The user's folder for what can be made again: `$XDG_CACHE_HOME`, else `$HOME/.cache`. None without a home.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        let path = |name: &str| self.variables.get(name).map(PathBuf::from);
        // The specification says that a relative path there is to be ignored.
        let asked = path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        asked.or_else(|| {
            path("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".cache"))
        })
    }
}

impl From<BTreeMap<String, String>> for Environment {
    fn from(variables: BTreeMap<String, String>) -> Self {
        Self { variables }
    }
}

/// Values may be secrets: names only.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
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

    use super::{Environment, substitute};

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
        let options = Environment::from(environment()).stores();
        assert_eq!(options.environment.keys().collect::<Vec<_>>(), ["AWS_REGION"]);
    }

    #[test]
    fn the_cache_lies_below_the_home_unless_it_is_put_elsewhere() {
        let cache_dir = |variables: &[(&str, &str)]| {
            let variable = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            Environment::from(variables.iter().map(variable).collect::<BTreeMap<_, _>>())
                .cache_dir()
        };
        assert_eq!(cache_dir(&[("HOME", "/home/ann")]), Some("/home/ann/.cache".into()));
        let elsewhere = [("HOME", "/home/ann"), ("XDG_CACHE_HOME", "/var/cache")];
        assert_eq!(cache_dir(&elsewhere), Some("/var/cache".into()));
        assert_eq!(
            cache_dir(&[("HOME", "/home/ann"), ("XDG_CACHE_HOME", "x")]),
            Some("/home/ann/.cache".into())
        );
        assert_eq!(cache_dir(&[]), None);
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", Environment::from(environment()));
        assert!(shown.contains("PASS") && !shown.contains("ann"), "{shown}");
    }
}
