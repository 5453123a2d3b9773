//! What pairs of a join must fulfil besides equal keys.

use arrow_array::ArrayRef;

use crate::batch::{Batch, Seq};
use crate::error::Result;
use crate::expr::guest::Called;
use crate::expr::{self, Expr};
use crate::operator::{Output, row_error};
use crate::schema::{Field, Schema, SchemaRef};

/// A condition over the columns of both inputs side by side; or none, which all pairs fulfil.
#[derive(Clone)]
pub(super) struct Condition {
    /// Whose it is, for errors.
    name: String,
    expr: Option<Expr>,
    called: Called,
    pairs: SchemaRef,
}

impl Condition {
    pub(super) fn new(name: &str, expr: Option<Expr>, inputs: [&SchemaRef; 2]) -> Condition {
        let fields = inputs.iter().flat_map(|i| &i.fields);
        let fields = fields.enumerate().map(|(i, f)| Field { name: format!("c{i}"), ..f.clone() });
        Condition {
            name: name.to_owned(),
            called: Called::of(expr.iter()),
            expr,
            pairs: Schema::new(fields.collect()),
        }
    }

    /// Which of so many pairs fulfil it; `columns` are asked for only when it must be looked at.
    ///
    /// # Errors
    /// When it fails for a pair, naming the record `seqs` gives it.
    pub(super) fn fits(
        &self,
        pairs: usize,
        columns: impl FnOnce() -> (Vec<ArrayRef>, Vec<Seq>),
        out: &mut Output,
    ) -> Result<Vec<bool>> {
        let Some(expr) = self.expr.as_ref().filter(|_| pairs > 0) else {
            return Ok(vec![true; pairs]);
        };
        let (columns, seqs) = columns();
        let batch = Batch::new(self.pairs.clone(), columns, seqs.into());
        self.called.trace([expr], out.traced());
        let kept = expr::select(expr, &batch);
        self.called.tell([expr], out);
        let kept =
            kept.map_err(|e| row_error(&self.name, batch.seqs.at(e.row as usize), e.diagnostic))?;
        let mut fits = vec![false; pairs];
        kept.into_iter().for_each(|i| fits[i as usize] = true);
        Ok(fits)
    }

    /// What its guests are known by: state is of these.
    pub(super) fn guests(&self) -> Vec<u8> {
        self.called.identities(self.expr.iter())
    }
}
