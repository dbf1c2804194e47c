//! Passwords: which are taken, and how they are kept.
//!
//! 12 to 128 characters, no composition rules, common ones refused (OWASP ASVS 5.0, 6.2). Kept as argon2id with 19 MiB, two passes and one lane
//! (OWASP Password Storage Cheat Sheet).

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::{Error, Result};

/// Common words that long-enough bad passwords are made of; a password is refused when nothing but such words, digits and punctuation is in it.
const COMMON: &str = include_str!("../../words/passwords.txt");

/// [`COMMON`], word by word.
fn common() -> impl Iterator<Item = &'static str> {
    COMMON.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Refuses passwords that are too short, too long or easily guessed, also for containing little beside what is `known` of the person.
///
/// # Errors
/// `Invalid`, under `field`.
pub fn check(field: &str, password: &str, known: &[&str]) -> Result<()> {
    let length = password.chars().count();
    if !(12..=128).contains(&length) {
        return Err(Error::invalid(field, "must be 12 to 128 characters long"));
    }
    if is_common(password, known) {
        return Err(Error::invalid(field, "is easily guessed; several unrelated words make a good one"));
    }
    Ok(())
}

fn is_common(password: &str, known: &[&str]) -> bool {
    let folded = password.to_lowercase();
    let distinct = folded.chars().collect::<std::collections::HashSet<_>>().len();
    // Runs such as 123456789012 and keyboard walks change little from one character to the next; repeats use few characters at all.
    let steps = folded
        .chars()
        .zip(folded.chars().skip(1))
        .filter(|(a, b)| (u32::from(*a)).abs_diff(u32::from(*b)) <= 1 || (*a, *b) == ('9', '0'))
        .count();
    if distinct < 5 || steps * 10 >= folded.chars().count() * 8 {
        return true;
    }
    let mine =
        known.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase).filter(|word| word.len() >= 3);
    let words: Vec<String> = common().map(str::to_owned).chain(mine).collect();
    [folded.clone(), plain(&folded)].iter().any(|folded| {
        folded.split(|c: char| !c.is_alphabetic()).filter(|run| !run.is_empty()).all(|run| is_made_of(run, &words))
            || words.iter().any(|word| word.len() >= 6 && is_repeat(folded, word))
    })
}

/// With the digits and signs that people write for letters read as those letters, except in the number at the end.
fn plain(folded: &str) -> String {
    let word = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    let letter = |c| match c {
        '@' | '4' => 'a',
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    };
    word.chars().map(letter).chain(folded[word.len()..].chars()).collect()
}

/// Whether a run of letters is nothing but these words in a row.
fn is_made_of(run: &str, words: &[String]) -> bool {
    let mut reachable = vec![false; run.len() + 1];
    reachable[0] = true;
    for at in 0..run.len() {
        if reachable[at] && run.is_char_boundary(at) {
            for word in words.iter().filter(|word| run[at..].starts_with(word.as_str())) {
                reachable[at + word.len()] = true;
            }
        }
    }
    reachable[run.len()]
}

fn is_repeat(password: &str, word: &str) -> bool {
    password.replace(word, "").chars().filter(|c| c.is_alphanumeric()).count() < 4
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1_024, 2, 1, None).map_err(Error::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password with a new salt. Takes tens of milliseconds and 19 MiB: call it on a blocking thread, few at a time.
///
/// # Errors
/// `Internal` if argon2 fails.
pub fn hash(password: &str) -> Result<String> {
    let hash: PasswordHash = argon2()?.hash_password(password.as_bytes()).map_err(Error::internal)?;
    Ok(hash.to_string())
}

/// Whether the password is the one of this hash. As costly as [`hash`].
///
/// # Errors
/// `Internal` if the stored hash can't be read.
pub fn verify(password: &str, hash: &str) -> Result<bool> {
    let hash = PasswordHash::new(hash).map_err(Error::internal)?;
    Ok(argon2()?.verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_passwords_are_taken_and_bad_ones_refused() {
        let known = ["ada@example.com", "Ada Lovelace", "Analytical Engines"];
        for good in ["tangerine-otter-plinth", "hZ8#kq!2mWx0Pv", "vier nasse gummistiefel", "日本語のパスワードは長いです"] {
            assert!(check("password", good, &known).is_ok(), "{good}");
        }
        for bad in [
            "short",
            "Password1234",
            "passwordpassword",
            "P@ssw0rd2026!",
            "123456789012",
            "qwertyuiop12",
            "aaaaaaaaaaaa",
            "letmein-letmein",
            "AdaLovelace1843",
            "Admin-Admin-2024",
            "iloveyou1234",
            "correcthorsebatterystaple",
            "abcdefghijkl",
            &"x1Y".repeat(50),
        ] {
            assert!(check("password", bad, &known).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_common_word_stands_alone_and_in_lower_case() {
        assert!(common().count() > 150, "the list is read");
        for word in common() {
            assert!(word == word.trim().to_lowercase() && !word.contains(char::is_whitespace), "{word:?} would never be found");
        }
    }

    #[test]
    fn a_hash_verifies_its_password_alone() {
        let hash = hash("tangerine-otter-plinth").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("tangerine-otter-plinth", &hash).unwrap());
        assert!(!verify("tangerine-otter-plintH", &hash).unwrap());
    }
}
