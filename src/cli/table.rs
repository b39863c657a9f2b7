//! Rows of words in aligned columns, for people.

use std::fmt;

/// Rows, each with the same number of cells.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Default for Table<COLUMNS> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn row(&mut self, cells: [impl Into<String>; COLUMNS]) {
        self.rows.push(cells.map(Into::into));
    }
}

/// Two spaces between columns, and nothing behind the last.
impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: [usize; COLUMNS] = std::array::from_fn(|at| {
            self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)
        });
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::default();
        table.row(["a", "bb", "c"]);
        table.row(["äää", "b", ""]);
        assert_eq!(table.to_string(), "a    bb  c\näää  b\n");
    }
}
