//! Each question of `questions.md` is answered where it says, and a search for its words
//! finds that page first.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Words that say nothing of what is asked.
const EMPTY: &str = "a about add after against all an and any are around as at be before behind \
    between by can check could do does did follow for from get has have how i if in into is it \
    its long make many mean more much must my need no not of off on one only or out over pass \
    raise return run same see send set should so take than that the their them then there this \
    to under up use we what when where which who why will with without would write you your";

/// A heading of a page, and what stands below it until the next one.
struct Section {
    page: String,
    anchor: String,
    words: BTreeSet<String>,
    /// Those of the heading, and of the page's title.
    headings: BTreeSet<String>,
    /// Those of the page's name.
    name: BTreeSet<String>,
    length: usize,
}

/// The words of a text, without their endings.
fn words(text: &str) -> impl Iterator<Item = String> {
    let text = text.to_ascii_lowercase();
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| stem(word).to_owned())
        .collect();
    words.into_iter()
}

fn stem(word: &str) -> &str {
    let endings = ["ies", "ing", "ed", "es", "s", "y", "e"];
    let mut stems = endings
        .iter()
        .filter_map(|ending| word.strip_suffix(ending));
    stems.find(|stem| stem.len() >= 3).unwrap_or(word)
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect::<String>().to_lowercase()
}

fn sections(page: &str, text: &str) -> Vec<Section> {
    let (mut sections, mut is_code, mut title) = (Vec::<Section>::new(), false, "");
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#').strip_prefix(' ');
        match heading.filter(|_| line.starts_with('#') && !is_code) {
            Some(heading) => {
                let is_first = title.is_empty();
                if is_first {
                    title = heading;
                }
                sections.push(Section {
                    page: page.to_owned(),
                    anchor: if is_first {
                        String::new()
                    } else {
                        anchor(heading)
                    },
                    words: BTreeSet::new(),
                    headings: words(heading).chain(words(title)).collect(),
                    name: words(page).collect(),
                    length: 0,
                });
            }
            None => {
                if let Some(section) = sections.last_mut() {
                    section.length += words(line).count();
                    section.words.extend(words(line));
                }
            }
        }
    }
    sections
}

impl Section {
    fn has(&self, word: &str) -> bool {
        self.words.contains(word) || self.headings.contains(word)
    }

    /// The more of the words, the rarer, and the more in headings, the higher.
    fn score(&self, asked: &[(String, f64)]) -> f64 {
        let found = asked.iter().filter(|(word, _)| self.has(word));
        let weights = found.map(|(word, weight)| {
            let places = [self.headings.contains(word), self.name.contains(word)];
            let places = places.into_iter().filter(|is_there| *is_there).count();
            weight * [1.0, 2.0, 3.0][places]
        });
        weights.sum()
    }
}

/// The pages that a search is made in.
fn guide() -> Vec<Section> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide");
    let mut sections_of_all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let page = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_page = path.extension().is_some_and(|it| it == "md");
        if is_page && page != "README" && page != "questions" {
            sections_of_all.extend(sections(&page, &fs::read_to_string(&path).unwrap()));
        }
    }
    sections_of_all
}

/// The words of a question that say something, each with how rare it is.
fn asked(question: &str, guide: &[Section]) -> Vec<(String, f64)> {
    let empty: BTreeSet<_> = EMPTY.split(' ').collect();
    let said = question.to_ascii_lowercase();
    let said = said.split(|c: char| !c.is_ascii_alphanumeric());
    let said = said.filter(|word| !word.is_empty() && !empty.contains(word));
    let said: BTreeSet<_> = said.map(stem).collect();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap());
    let weight = |word: &str| {
        let found = guide.iter().filter(|section| section.has(word)).count();
        (count(guide.len() + 1) / count(found + 1)).ln()
    };
    said.into_iter()
        .map(|word| (word.to_owned(), weight(word)))
        .collect()
}

#[test]
fn each_question_is_answered_by_the_page_that_a_search_finds_first() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("guide/questions.md");
    let page = fs::read_to_string(page).unwrap();
    let guide = guide();
    let (mut wrong, mut questions) = (Vec::new(), 0);
    let rows = page.lines().filter(|line| line.starts_with("| "));
    for row in rows.skip(1) {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let question = cells.next().unwrap();
        let (_, target) = cells.next().unwrap().rsplit_once("](").unwrap();
        let target = target.trim_end_matches(')');
        let (name, anchor) = target.split_once(".md").unwrap();
        let anchor = anchor.trim_start_matches('#');
        questions += 1;

        let asked = asked(question, &guide);
        let answer = guide
            .iter()
            .find(|it| it.page == name && it.anchor == anchor);
        let Some(answer) = answer else {
            wrong.push(format!("{question} {target} is not there"));
            continue;
        };
        let missing = asked.iter().filter(|(word, _)| !answer.has(word));
        let missing: Vec<_> = missing.map(|(word, _)| word).collect();
        if !missing.is_empty() {
            wrong.push(format!("{question} {target} has not {missing:?}"));
        }
        let best = guide.iter().max_by(|a, b| {
            let scores = a.score(&asked).total_cmp(&b.score(&asked));
            scores.then(b.length.cmp(&a.length))
        });
        let best = best.unwrap();
        if best.page != name {
            let found = format!("{}.md#{}", best.page, best.anchor);
            wrong.push(format!("{question} finds {found}, not {target}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(questions >= 40, "{questions} questions");
}

#[test]
fn words_lose_their_endings() {
    let found: Vec<_> = words("Retries: `max_attempts` of retrying policies").collect();
    assert_eq!(found, ["retr", "max", "attempt", "of", "retry", "polic"]);
}
