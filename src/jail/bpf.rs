//! A seccomp filter as a program for the kernel: a search tree over the numbers
//! of the system calls.
//!
//! The crate that is usually taken for this compares one number after another.
//! The kernel runs a new filter once for each call it has, to learn which it may
//! skip in future; with our list that took 0.8 ms of the 1.5 ms that opening a
//! jail may take. A tree of the same list takes a tenth of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS,
};

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    /// It fails with this errno.
    Refuse(i32),
    /// It is allowed if all conditions of one of these rules hold, and fails with
    /// EPERM otherwise.
    AllowIf(Vec<Rule>),
}

/// Conditions that hold together.
pub(super) type Rule = Vec<Condition>;

/// `argument & mask == value`, or its opposite. Only the low 32 bits of an
/// argument count, which is all that the kernel looks at in those we judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) argument: u32,
    pub(super) mask: u32,
    pub(super) value: u32,
    pub(super) holds_if_equal: bool,
}

/// A program for the kernel.
pub(super) type Program = Vec<Instruction>;

/// One instruction, as the kernel lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(C)]
pub(super) struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;

/// Where the kernel puts what a filter looks at.
const NUMBER_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// Compiles verdicts on single calls, and the one on all others.
///
/// Calls of another architecture, for which the numbers mean something else, end
/// the process.
pub(super) fn compile(calls: &[(i64, Verdict)], others: &Verdict) -> Program {
    let mut program = vec![
        load(ARCH_AT),
        jump(BPF_JEQ, ARCH, 1, 0),
        give(SECCOMP_RET_KILL_PROCESS),
        load(NUMBER_AT),
    ];
    program.extend(tree(&segments(calls, others)));
    program
}

/// The whole range of numbers, cut where the verdict changes.
fn segments<'a>(calls: &'a [(i64, Verdict)], others: &'a Verdict) -> Vec<(u32, &'a Verdict)> {
    // Of two verdicts on one call the later is the one that was meant.
    let sorted: BTreeMap<_, _> = calls
        .iter()
        .filter_map(|(number, verdict)| Some((u32::try_from(*number).ok()?, verdict)))
        .collect();
    let mut segments: Vec<(u32, &Verdict)> = vec![(0, others)];
    for (number, verdict) in sorted {
        if segments.last().is_some_and(|(start, _)| *start == number) {
            segments.pop();
        }
        segments.push((number, verdict));
        segments.push((number + 1, others));
    }
    segments.dedup_by(|next, before| next.1 == before.1);
    segments
}

fn tree(segments: &[(u32, &Verdict)]) -> Program {
    let [_, _, ..] = segments else {
        return segments.first().map_or_else(Vec::new, |(_, verdict)| leaf(verdict));
    };
    let (low, high) = segments.split_at(segments.len() / 2);
    let (low, start, high) = (tree(low), high[0].0, tree(high));
    // A conditional jump reaches 255 instructions only, an unconditional one any.
    let mut program = vec![jump(BPF_JGE, start, 0, 1), go(low.len())];
    program.extend(low);
    program.extend(high);
    program
}

fn leaf(verdict: &Verdict) -> Program {
    match verdict {
        Verdict::Allow => vec![give(SECCOMP_RET_ALLOW)],
        Verdict::Refuse(errno) => vec![give(refusal(*errno))],
        Verdict::AllowIf(rules) => {
            let mut program: Program = rules.iter().flat_map(one_rule).collect();
            program.push(give(refusal(libc::EPERM)));
            program
        }
    }
}

/// Allows, or falls through to what comes after it.
fn one_rule(rule: &Rule) -> Program {
    let mut program = vec![give(SECCOMP_RET_ALLOW)];
    for condition in rule.iter().rev() {
        let past = u8::try_from(program.len()).unwrap_or(u8::MAX);
        let (if_equal, if_not) = if condition.holds_if_equal { (0, past) } else { (past, 0) };
        let mut before = vec![load(ARGUMENTS_AT + 8 * condition.argument)];
        if condition.mask != u32::MAX {
            before.push(instruction(BPF_ALU | BPF_AND | BPF_K, condition.mask, 0, 0));
        }
        before.push(jump(BPF_JEQ, condition.value, if_equal, if_not));
        before.extend(program);
        program = before;
    }
    program
}

fn refusal(errno: i32) -> u32 {
    SECCOMP_RET_ERRNO | (errno.cast_unsigned() & libc::SECCOMP_RET_DATA)
}

fn load(at: u32) -> Instruction {
    instruction(BPF_LD | BPF_W | BPF_ABS, at, 0, 0)
}

fn jump(test: u32, value: u32, if_true: u8, if_false: u8) -> Instruction {
    instruction(BPF_JMP | test | BPF_K, value, if_true, if_false)
}

fn go(over: usize) -> Instruction {
    instruction(BPF_JMP | BPF_JA, u32::try_from(over).unwrap_or(u32::MAX), 0, 0)
}

fn give(value: u32) -> Instruction {
    instruction(BPF_RET | BPF_K, value, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code: u16::try_from(code).unwrap_or(u16::MAX), jt, jf, k }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the kernel does with a program, for the instructions used here.
    fn run(program: &Program, arch: u32, number: u32, arguments: [u32; 6]) -> u32 {
        let (mut at, mut a) = (0, 0_u32);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            at += 1;
            let take = |yes: bool| usize::from(if yes { jt } else { jf });
            if code == BPF_LD | BPF_W | BPF_ABS {
                a = match k {
                    NUMBER_AT => number,
                    ARCH_AT => arch,
                    at => arguments[((at - ARGUMENTS_AT) / 8) as usize],
                };
            } else if code == BPF_ALU | BPF_AND | BPF_K {
                a &= k;
            } else if code == BPF_JMP | BPF_JEQ | BPF_K {
                at += take(a == k);
            } else if code == BPF_JMP | BPF_JGE | BPF_K {
                at += take(a >= k);
            } else if code == BPF_JMP | BPF_JA {
                at += k as usize;
            } else {
                assert_eq!(code, BPF_RET | BPF_K);
                return k;
            }
        }
    }

    /// The same by looking at the verdicts themselves.
    fn want(calls: &[(i64, Verdict)], others: &Verdict, number: u32, arguments: [u32; 6]) -> u32 {
        let own = calls.iter().rev().find(|(call, _)| *call == i64::from(number));
        let holds = |condition: &Condition| {
            let value = arguments[condition.argument as usize] & condition.mask;
            (value == condition.value) == condition.holds_if_equal
        };
        match own.map_or(others, |(_, verdict)| verdict) {
            Verdict::Allow => SECCOMP_RET_ALLOW,
            Verdict::Refuse(errno) => refusal(*errno),
            Verdict::AllowIf(rules) if rules.iter().any(|rule| rule.iter().all(holds)) => {
                SECCOMP_RET_ALLOW
            }
            Verdict::AllowIf(_) => refusal(libc::EPERM),
        }
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        let condition = (0..6_u32, prop_oneof![Just(u32::MAX), 0..8_u32], 0..8_u32, any::<bool>());
        let condition = condition.prop_map(|(argument, mask, value, holds_if_equal)| Condition {
            argument,
            mask,
            value,
            holds_if_equal,
        });
        let rule = prop::collection::vec(condition, 1..4);
        prop_oneof![
            Just(Verdict::Allow),
            (1..4_i32).prop_map(Verdict::Refuse),
            prop::collection::vec(rule, 1..4).prop_map(Verdict::AllowIf),
        ]
    }

    proptest! {
        #[test]
        fn a_program_gives_the_verdicts_it_was_made_of(
            calls in prop::collection::vec((0..60_i64, verdict()), 0..40),
            others in verdict(),
            number in prop_oneof![0..64_u32, any::<u32>()],
            arguments in prop::array::uniform6(0..8_u32),
        ) {
            let program = compile(&calls, &others);
            prop_assert_eq!(
                run(&program, ARCH, number, arguments),
                want(&calls, &others, number, arguments)
            );
            let foreign = run(&program, ARCH ^ 1, number, arguments);
            prop_assert_eq!(foreign, SECCOMP_RET_KILL_PROCESS);
        }
    }
}
