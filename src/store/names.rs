//! Names: documents found by how a word of their name begins.
//!
//! A document is filed under the text from each of its words on, in lower case: `Checkout API` under `checkout api` and under `api`. So what
//! somebody typed is found by one walk through neighbouring keys, also where it goes on over several words, and no document is read for it.
//! What is looked for within a word is not in here: filing a name under each of its letters would make every write several times as dear.
//! Where words follow each other without a space, each character counts as the beginning of one: which of them are needs a dictionary to say.

use std::collections::BTreeSet;

use super::document::{AnyIndex, Filed, Part, Shape};

/// The most words of a name that it is found by.
const WORDS: usize = 40;
/// How much of a name stands in a key; what is typed is seldom longer, and whoever reads the document compares all of it.
const LETTERS: usize = 40;
/// How much that is where every character is a place: so many of them say as much as twice the letters, and take three bytes each.
const CHARACTERS: usize = 16;

/// Thai, Hangul, Hiragana, Katakana and Han, from one character to another: their words are not, or not always, told apart by spaces.
const UNSPACED: [(char, char); 14] = [
    ('\u{e00}', '\u{e7f}'),
    ('\u{1100}', '\u{11ff}'),
    ('\u{3005}', '\u{3007}'),
    ('\u{3041}', '\u{30ff}'),
    ('\u{3130}', '\u{318f}'),
    ('\u{31f0}', '\u{31ff}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{a960}', '\u{a97f}'),
    ('\u{ac00}', '\u{d7ff}'),
    ('\u{f900}', '\u{faff}'),
    ('\u{ff66}', '\u{ff9f}'),
    ('\u{ffa0}', '\u{ffdc}'),
    ('\u{20000}', '\u{3ffff}'),
];

fn is_unspaced(letter: char) -> bool {
    UNSPACED.iter().any(|(first, last)| (*first..=*last).contains(&letter))
}

/// Whether a word may begin between these two.
pub(crate) fn divides(before: char, letter: char) -> bool {
    !before.is_alphanumeric() || is_unspaced(before) || is_unspaced(letter)
}

/// What of a text stands in a key.
fn beginning(text: &str) -> String {
    let most = if text.starts_with(is_unspaced) { CHARACTERS } else { LETTERS };
    text.chars().take(most).collect()
}

/// A way to find documents by a word of their name.
pub struct Names<D> {
    /// The index's number within its collection; never reused.
    pub number: u8,
    /// What a document is called; `None` = not in this index.
    pub name: fn(&D) -> Option<&str>,
}

impl<D> Names<D> {
    /// What a place is sorted by before its text: the name's beginning, then the beginnings of its other words.
    pub(crate) const RANKS: [i64; 2] = [0, 1];
}

impl<D> AnyIndex<D> for Names<D> {
    fn file(&self, document: &D) -> Vec<Filed> {
        let places = (self.name)(document).map(places).unwrap_or_default();
        let filed = |(rank, text)| Filed { index: self.number, group: vec![Part::Int(rank)], sort: vec![Part::Text(text)] };
        places.into_iter().map(filed).collect()
    }

    fn number(&self) -> u8 {
        self.number
    }

    fn shape(&self) -> Shape {
        Shape::Names { number: self.number }
    }
}

/// Where a name is filed: for each of its words the rank and the text from there on.
fn places(name: &str) -> BTreeSet<(i64, String)> {
    let name = name.to_lowercase();
    let (mut places, mut before) = (BTreeSet::new(), None);
    for (at, letter) in name.char_indices() {
        let begins = letter.is_alphanumeric() && before.is_none_or(|before| divides(before, letter));
        before = Some(letter);
        if begins {
            let rank = i64::from(!places.is_empty());
            places.insert((rank, beginning(&name[at..])));
            if places.len() == WORDS {
                break;
            }
        }
    }
    places
}

/// What the keys of names that fit begin with; `None` where nothing of what is looked for is a letter or a digit.
pub(crate) fn sought(wanted: &str) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let key = beginning(wanted.trim_start_matches(|letter: char| !letter.is_alphanumeric()));
    Some(key).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(name: &str) -> Vec<(i64, String)> {
        places(name).into_iter().collect()
    }

    #[test]
    fn a_name_is_filed_under_each_of_its_words() {
        let place = |rank, text: &str| (rank, text.to_owned());
        assert_eq!(filed("Checkout API"), [place(0, "checkout api"), place(1, "api")]);
        assert_eq!(filed("#1 api-gateway"), [place(0, "1 api-gateway"), place(1, "api-gateway"), place(1, "gateway")]);
        assert_eq!(filed("ÄPFEL"), [place(0, "äpfel")]);
        assert_eq!(filed(" – "), []);
    }

    #[test]
    fn where_words_are_not_told_apart_by_spaces_each_character_begins_one() {
        let texts = |name: &str| filed(name).into_iter().map(|(_, text)| text).collect::<BTreeSet<_>>();
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(texts("決済API"), set(&["決済api", "済api", "api"]));
        assert_eq!(texts("API決済 v2"), set(&["api決済 v2", "決済 v2", "済 v2", "v2"]));
        assert_eq!(filed("決済")[0], (0, "決済".to_owned()), "what it begins with has the first rank");
        for name in ["ระบบชำระเงิน", "결제 서비스", "ログイン", "ろぐいん", "支付网关", "ｶﾅ"] {
            for (at, letter) in name.char_indices().filter(|(_, letter)| letter.is_alphanumeric()) {
                let key = sought(&name[at..]).unwrap();
                assert!(texts(name).contains(&key), "{name}: {letter}");
            }
        }
    }

    #[test]
    fn however_long_a_name_is_its_keys_are_few_and_short() {
        let places = filed(&"数据库主节点".repeat(20));
        assert!(places.len() <= WORDS && places.iter().all(|(_, text)| text.chars().count() <= CHARACTERS), "{places:?}");
        assert_eq!(sought(&"決".repeat(60)).map(|key| key.chars().count()), Some(CHARACTERS), "as much as stands in a key");
        let places = filed(&(0..200).map(|number| format!("w{number} ")).collect::<String>());
        assert_eq!(places.len(), WORDS);
        assert!(places.iter().all(|(_, text)| text.chars().count() <= LETTERS));
        let places = filed(&"long ".repeat(40));
        assert!(places.len() < WORDS && places[0].0 == 0, "the same place is one: {places:?}");
    }

    #[test]
    fn what_is_looked_for_begins_with_its_first_letter() {
        assert_eq!(sought(" (API g").as_deref(), Some("api g"));
        assert_eq!(sought("–!"), None);
        assert_eq!(sought(&"x".repeat(200)).map(|key| key.len()), Some(LETTERS));
    }
}
