//! Says who we are: by PLAIN, or by SCRAM (RFC 5802), which shows that both sides know the password and sends it to nobody.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use super::{Link, LinkError};
use crate::wire::{SASL_AUTHENTICATE, SASL_HANDSHAKE};

/// A broker that wants more rounds than this would keep us busy for seconds. Kafka's default is 4096.
const ROUNDS_MAX: u32 = 1 << 20;

/// Bytes that nobody can guess, in each attempt.
const NONCE: usize = 18;

/// How the password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is.
    Plain,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// By the name that Kafka has for it. None for those that are not spoken here.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Who we are.
#[derive(Clone)]
pub struct Sasl {
    /// How that is shown.
    pub mechanism: Mechanism,
    /// The name.
    pub username: String,
    /// Never printed.
    pub password: String,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as `{}`", self.mechanism.name(), self.username)
    }
}

impl Sasl {
    /// Shows the broker who we are.
    pub(super) fn authenticate(&self, link: &mut Link) -> Result<(), LinkError> {
        self.agree(link)?;
        match self.mechanism {
            Mechanism::Plain => {
                let message = format!("\0{}\0{}", self.username, self.password);
                self.exchange(link, message.as_bytes()).map(drop)
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha512 => {
                let mut nonce = [0; NONCE];
                SystemRandom::new()
                    .fill(&mut nonce)
                    .map_err(|_| self.denied("this machine has no random numbers"))?;
                let scram = Scram::begin(self, &STANDARD.encode(nonce));
                let challenge = self.exchange(link, scram.first().as_bytes())?;
                let answer = scram.answer(&challenge).map_err(|reason| self.denied(&reason))?;
                let proof = self.exchange(link, answer.message.as_bytes())?;
                answer.check(&proof).map_err(|reason| self.denied(&reason))
            }
        }
    }

    /// On the mechanism.
    fn agree(&self, link: &mut Link) -> Result<(), LinkError> {
        let name = self.mechanism.name();
        let answer = link.ask(SASL_HANDSHAKE, |writer| writer.text(name))?;
        let mut answer = link.body(SASL_HANDSHAKE, &answer)?;
        if answer.int16()? == 0 {
            return Ok(());
        }
        let mut offered = Vec::new();
        for _ in 0..answer.int32()? {
            offered.push(answer.text("the name of a mechanism")?.unwrap_or_default().into_owned());
        }
        let offered = offered.join(", ");
        Err(LinkError::Denied(format!(
            "it lets nobody in by {name}, but by {offered}: set `sasl.mechanism`"
        )))
    }

    fn exchange(&self, link: &mut Link, message: &[u8]) -> Result<Vec<u8>, LinkError> {
        let answer = link.ask(SASL_AUTHENTICATE, |writer| {
            writer.int32(i32::try_from(message.len()).unwrap_or(i32::MAX));
            writer.raw(message);
        })?;
        let mut answer = link.body(SASL_AUTHENTICATE, &answer)?;
        let code = answer.int16()?;
        let reason = answer.text("the reason")?;
        if code != 0 {
            return Err(self.denied(reason.as_deref().unwrap_or("it gives no reason")));
        }
        Ok(answer.bytes("the length of what it says")?.to_vec())
    }

    fn denied(&self, reason: &str) -> LinkError {
        let (name, user) = (self.mechanism.name(), &self.username);
        LinkError::Denied(format!(
            "it does not let `{user}` in by {name} ({reason}): check `sasl.username` and `sasl.password`"
        ))
    }
}

/// Our side of SCRAM.
struct Scram<'a> {
    sasl: &'a Sasl,
    /// Our first message without what stands before it.
    first: String,
    nonce: String,
}

/// The broker's challenge, met.
struct Answer {
    message: String,
    /// What the broker has to send: nobody else can know it.
    expected: Vec<u8>,
}

/// No channel is bound.
const NO_BINDING: &str = "n,,";

impl<'a> Scram<'a> {
    fn begin(sasl: &'a Sasl, nonce: &str) -> Self {
        let name = sasl.username.replace('=', "=3D").replace(',', "=2C");
        Self { sasl, first: format!("n={name},r={nonce}"), nonce: nonce.to_owned() }
    }

    fn first(&self) -> String {
        format!("{NO_BINDING}{}", self.first)
    }

    fn answer(&self, challenge: &[u8]) -> Result<Answer, String> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| "its challenge is no text")?;
        let field = |name| field(challenge, name).ok_or("its challenge lacks a field");
        let (nonce, salt, rounds) = (field("r=")?, field("s=")?, field("i=")?);
        if !nonce.starts_with(&self.nonce) {
            return Err("its challenge is for another".to_owned());
        }
        let salt = STANDARD.decode(salt).map_err(|_| "its salt cannot be read")?;
        let rounds = rounds.parse().ok().filter(|rounds: &NonZeroU32| rounds.get() <= ROUNDS_MAX);
        let rounds = rounds.ok_or_else(|| format!("it wants more than {ROUNDS_MAX} rounds"))?;
        let bare = format!("c={},r={nonce}", STANDARD.encode(NO_BINDING));
        let signed = format!("{},{challenge},{bare}", self.first);
        let (hash, derive, mac) = match self.sasl.mechanism {
            Mechanism::ScramSha512 => {
                (&digest::SHA512, pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512)
            }
            _ => (&digest::SHA256, pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256),
        };
        let mut salted = vec![0; hash.output_len()];
        pbkdf2::derive(derive, rounds, &salt, self.sasl.password.as_bytes(), &mut salted);
        let sign = |key: &[u8], what: &str| hmac::sign(&hmac::Key::new(mac, key), what.as_bytes());
        let client = sign(&salted, "Client Key");
        let stored = digest::digest(hash, client.as_ref());
        let signature = sign(stored.as_ref(), &signed);
        let proof: Vec<u8> = client
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(one, other)| one ^ other)
            .collect();
        let server = sign(&salted, "Server Key");
        let expected = sign(server.as_ref(), &signed).as_ref().to_vec();
        Ok(Answer { message: format!("{bare},p={}", STANDARD.encode(proof)), expected })
    }
}

impl Answer {
    /// The broker knows the password, too.
    fn check(&self, proof: &[u8]) -> Result<(), String> {
        let proof = std::str::from_utf8(proof).unwrap_or_default();
        let found = field(proof, "v=").and_then(|proof| STANDARD.decode(proof).ok());
        match found {
            Some(found) if found == self.expected => Ok(()),
            _ => Err("the broker does not know the password itself".to_owned()),
        }
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|field| field.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sasl(mechanism: Mechanism) -> Sasl {
        Sasl { mechanism, username: "user".to_owned(), password: "pencil".to_owned() }
    }

    /// The example of RFC 7677.
    #[test]
    fn scram_says_what_its_standard_says() {
        let sasl = sasl(Mechanism::ScramSha256);
        let scram = Scram::begin(&sasl, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = scram.answer(challenge).unwrap();
        assert_eq!(
            answer.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        answer.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        answer.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=").unwrap_err();
        answer.check(b"e=other-error").unwrap_err();
    }

    #[test]
    fn a_broker_that_lies_is_not_answered() {
        let sasl = sasl(Mechanism::ScramSha512);
        let scram = Scram::begin(&sasl, "abc");
        scram.answer(b"r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=5000").unwrap();
        for challenge in [
            "r=xbcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=5000",
            "r=abcdef,s=?,i=5000",
            "r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
            "r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
            "r=abcdef",
            "",
        ] {
            assert!(scram.answer(challenge.as_bytes()).is_err(), "{challenge}");
        }
    }

    #[test]
    fn a_name_cannot_end_its_field() {
        let sasl = Sasl { username: "a,b=c".to_owned(), ..sasl(Mechanism::ScramSha256) };
        assert_eq!(Scram::begin(&sasl, "x").first(), "n,,n=a=2Cb=3Dc,r=x");
        assert_eq!(format!("{sasl:?}"), "SCRAM-SHA-256 as `a,b=c`");
    }
}
