//! A regular expression matcher by backtracking, for the syntax that generated metrics use: literals, `\`
//! before punctuation, `.`, `[a-z]`, `[^a-z]`, groups, `|`, `*`, `+`, `?`, `^`, `$`.

/// A parsed pattern.
#[derive(Debug)]
enum Node {
    /// One character that is one of these ranges, or none of them.
    OneOf { ranges: Vec<(char, char)>, negated: bool },
    /// `^`.
    Start,
    /// `$`.
    End,
    /// One after the other.
    Sequence(Vec<Node>),
    /// `a|b`.
    Either(Vec<Node>),
    /// At least, at most (none: without limit).
    Repeat(Box<Node>, usize, Option<usize>),
}

/// Whether `pattern` is found anywhere in `text`.
pub(super) fn is_found(pattern: &str, text: &str) -> bool {
    let letters: Vec<char> = pattern.chars().collect();
    let mut reader = Reader { pattern: &letters, at: 0 };
    let node = reader.either();
    assert!(reader.at == letters.len(), "the pattern `{pattern}` is beyond this matcher");
    let text: Vec<char> = text.chars().collect();
    (0..=text.len()).any(|start| matches_at(&node, &text, start, &|_| true))
}

/// Whether `node` matches at `at` in a way that `rest` goes on from.
fn matches_at(node: &Node, text: &[char], at: usize, rest: &dyn Fn(usize) -> bool) -> bool {
    match node {
        Node::OneOf { ranges, negated } => text.get(at).is_some_and(|letter| {
            let inside = ranges.iter().any(|(first, last)| (first..=last).contains(&letter));
            inside != *negated && rest(at + 1)
        }),
        Node::Start => at == 0 && rest(at),
        Node::End => at == text.len() && rest(at),
        Node::Sequence(nodes) => match nodes.split_first() {
            None => rest(at),
            Some((first, others)) => matches_at(first, text, at, &|next| sequence(others, text, next, rest)),
        },
        Node::Either(nodes) => nodes.iter().any(|node| matches_at(node, text, at, rest)),
        Node::Repeat(node, least, most) => repeat(node, (*least, *most), text, at, rest),
    }
}

fn sequence(nodes: &[Node], text: &[char], at: usize, rest: &dyn Fn(usize) -> bool) -> bool {
    match nodes.split_first() {
        None => rest(at),
        Some((first, others)) => matches_at(first, text, at, &|next| sequence(others, text, next, rest)),
    }
}

fn repeat(
    node: &Node,
    (least, most): (usize, Option<usize>),
    text: &[char],
    at: usize,
    rest: &dyn Fn(usize) -> bool,
) -> bool {
    if least == 0 && rest(at) {
        return true;
    }
    if most == Some(0) {
        return false;
    }
    let left = (least.saturating_sub(1), most.map(|most| most - 1));
    // A repetition that matches the empty text only counts towards the minimum.
    matches_at(node, text, at, &|next| (next > at || least > 0) && repeat(node, left, text, next, rest))
}

struct Reader<'a> {
    pattern: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.pattern.get(self.at).copied()
    }

    fn take(&mut self) -> char {
        let letter = self.peek().unwrap_or_else(|| panic!("the pattern ends too soon"));
        self.at += 1;
        letter
    }

    fn either(&mut self) -> Node {
        let mut branches = vec![self.sequence()];
        while self.peek() == Some('|') {
            self.at += 1;
            branches.push(self.sequence());
        }
        Node::Either(branches)
    }

    fn sequence(&mut self) -> Node {
        let mut nodes = Vec::new();
        while self.peek().is_some_and(|letter| letter != '|' && letter != ')') {
            let mut node = self.atom();
            while let Some((least, most)) = self.peek().and_then(repetition) {
                self.at += 1;
                node = Node::Repeat(Box::new(node), least, most);
            }
            nodes.push(node);
        }
        Node::Sequence(nodes)
    }

    fn atom(&mut self) -> Node {
        match self.take() {
            '^' => Node::Start,
            '$' => Node::End,
            '.' => Node::OneOf { ranges: vec![('\n', '\n')], negated: true },
            '[' => self.class(),
            '(' => {
                let node = self.either();
                assert!(self.take() == ')', "a group is not closed");
                node
            }
            '\\' => {
                let letter = self.take();
                assert!(letter.is_ascii_punctuation(), "`\\{letter}` is beyond this matcher");
                one(letter)
            }
            letter => one(letter),
        }
    }

    fn class(&mut self) -> Node {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        loop {
            let first = match self.take() {
                ']' => return Node::OneOf { ranges, negated },
                letter => letter,
            };
            let is_range = self.peek() == Some('-') && self.pattern.get(self.at + 1) != Some(&']');
            if is_range {
                self.at += 1;
                ranges.push((first, self.take()));
            } else {
                ranges.push((first, first));
            }
        }
    }
}

fn one(letter: char) -> Node {
    Node::OneOf { ranges: vec![(letter, letter)], negated: false }
}

fn repetition(letter: char) -> Option<(usize, Option<usize>)> {
    match letter {
        '*' => Some((0, None)),
        '+' => Some((1, None)),
        '?' => Some((0, Some(1))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_found;

    #[test]
    fn c63_anchors_hold_the_whole_text() {
        assert!(is_found("^ab$", "ab"));
        assert!(!is_found("^ab$", "abc"));
        assert!(!is_found("^ab$", "ab\n"));
        assert!(is_found("ab", "xabx"));
        assert!(is_found("", ""));
    }

    #[test]
    fn repetition_gives_back_what_it_took() {
        assert!(is_found("^a*ab$", "aaab"));
        assert!(is_found("^(ab|a)(bc)?$", "abc"));
        assert!(!is_found("^a+$", ""));
        assert!(is_found("^(a*)*$", "aaa"));
        assert!(is_found("^(a*)+$", ""));
    }

    #[test]
    fn classes_hold_ranges_and_their_opposite() {
        assert!(is_found("^[a-c0-9_-]+$", "a9_-b"));
        assert!(!is_found("^[^a-c]$", "b"));
        assert!(is_found("^.$", "é"));
        assert!(!is_found("^.$", "\n"));
        assert!(is_found(r"^a\.b$", "a.b"));
        assert!(!is_found(r"^a\.b$", "axb"));
    }
}
