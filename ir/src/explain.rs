//! A plain tree that every stage of the compiler can be shown as: text for people, JSON for tools,
//! dot for pictures. One renderer, so that all stages look alike.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// One node of a stage: its name, its properties in a fixed order, its inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// What the node is, in one or two words.
    pub name: String,
    /// Properties, in the order to show them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
    /// Inputs or parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

impl Node {
    /// A node without properties or children.
    pub fn new(name: impl Into<String>) -> Self {
        Node { name: name.into(), properties: Vec::new(), children: Vec::new() }
    }

    /// Adds a property.
    pub fn with(mut self, property: &str, value: impl fmt::Display) -> Self {
        self.properties.push((property.to_owned(), value.to_string()));
        self
    }

    /// Adds a child.
    pub fn child(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children.
    pub fn children(mut self, children: impl IntoIterator<Item = Node>) -> Self {
        self.children.extend(children);
        self
    }

    /// One node a line, indented by two; `name: key=value, key=value`.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let mut todo = vec![(self, 0)];
        while let Some((node, depth)) = todo.pop() {
            let _ = write!(out, "{:1$}{2}", "", depth * 2, node.name);
            for (place, (property, value)) in node.properties.iter().enumerate() {
                let _ = write!(out, "{}{property}={value}", if place == 0 { ": " } else { ", " });
            }
            out.push('\n');
            todo.extend(node.children.iter().rev().map(|child| (child, depth + 1)));
        }
        out
    }

    /// A digraph for Graphviz; children point to the node that they feed.
    pub fn to_dot(&self) -> String {
        let mut out = String::from("digraph metric {\n  rankdir=BT;\n  node [shape=box];\n");
        let mut n_nodes = 0;
        let mut todo = vec![(self, None)];
        while let Some((node, parent)) = todo.pop() {
            let id = n_nodes;
            n_nodes += 1;
            let mut label = node.name.clone();
            for (property, value) in &node.properties {
                let _ = write!(label, "\n{property}={value}");
            }
            let label = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(out, "  n{id} [label=\"{label}\"];");
            if let Some(parent) = parent {
                let _ = writeln!(out, "  n{id} -> n{parent};");
            }
            todo.extend(node.children.iter().rev().map(|child| (child, Some(id))));
        }
        out.push_str("}\n");
        out
    }
}
