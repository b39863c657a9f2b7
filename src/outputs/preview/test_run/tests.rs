//! Test runs of many runners, and what is shown of each.

use crate::outputs::preview::tests::shown;

#[rustfmt::skip]
    const CARGO: &str = "
running 3 tests
test pay::refunds ... ok
test pay::charges ... FAILED
test pay::waits ... ignored

failures:

---- pay::charges stdout ----

thread 'pay::charges' (17) panicked at src/pay.rs:31:5:
assertion `left == right` failed
  left: 1
 right: 2

failures:
    pay::charges

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
#[rustfmt::skip]
    const PYTEST: &str = "
============================= test session starts ==============================
collected 2 items

tests/test_pay.py .F                                                     [100%]

=================================== FAILURES ===================================
_________________________________ test_charge __________________________________

    def test_charge():
>       assert charge() == 2
E       assert 1 == 2

tests/test_pay.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_pay.py::test_charge - assert 1 == 2
========================= 1 failed, 1 passed in 0.12s ==========================
";
#[rustfmt::skip]
    const GO: &str = "
=== RUN   TestRefund
--- PASS: TestRefund (0.00s)
=== RUN   TestCharge
--- FAIL: TestCharge (0.01s)
    pay_test.go:12: charged 1, want 2
FAIL
FAIL\tshop/pay\t0.012s
ok  \tshop/api\t0.010s
";
#[rustfmt::skip]
    const JEST: &str = "
FAIL src/pay.test.js
  ● pay › charges once

    expect(received).toBe(expected)

Tests:       1 failed, 2 passed, 3 total
PASS src/api.test.js
";
#[rustfmt::skip]
    const TAP: &str = "
TAP version 13
ok 1 - refunds
not ok 2 - charges
1..2
";
#[rustfmt::skip]
    const JUNIT: &str = "
<?xml version=\"1.0\"?>
<testsuite name=\"pay\" tests=\"2\" failures=\"1\">
  <testcase classname=\"Pay\" name=\"refunds\" time=\"0.1\"/>
  <testcase classname=\"Pay\" name=\"charges\" time=\"0.1\">
    <failure message=\"expected 2 but was 1\">at Pay.java:31</failure>
  </testcase>
</testsuite>
";

/// The structure alone.
fn sketch(run: &str) -> String {
    let filler = "some line of what the program says\n".repeat(200);
    let (facts, rest) = shown(format!("{}{filler}", run.trim_start()).as_bytes(), 1_200)
        .split_once('\n')
        .map(|(facts, rest)| (facts.to_owned(), rest.to_owned()))
        .unwrap();
    assert!(facts.contains(" · test run · "), "{facts}");
    let end = rest.find("[lines 1-").unwrap();
    rest[..end].to_owned()
}

#[test]
fn the_failed_come_first_whoever_ran_them() {
    insta::assert_snapshot!(sketch(CARGO), @"
        test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
        1 failed test:
          pay::charges (line 3)
              thread 'pay::charges' (17) panicked at src/pay.rs:31:5: assertion `left == right` failed
        ");
    insta::assert_snapshot!(sketch(PYTEST), @"
        ========================= 1 failed, 1 passed in 0.12s ==========================
        1 failed test:
          tests/test_pay.py::test_charge (line 15)
              assert 1 == 2
        ");
    insta::assert_snapshot!(sketch(GO), @"
        FAIL	shop/pay	0.012s
        1 failed test:
          TestCharge (line 4)
              pay_test.go:12: charged 1, want 2
        ");
    insta::assert_snapshot!(sketch(JEST), @"
        FAIL src/pay.test.js
        Tests:       1 failed, 2 passed, 3 total
        1 failed test:
          pay › charges once (line 2)
              expect(received).toBe(expected)
        ");
    insta::assert_snapshot!(sketch(TAP), @"
        1 failed test:
          charges (line 3)
        ");
    insta::assert_snapshot!(sketch(JUNIT), @r#"
        <testsuite name="pay" tests="2" failures="1">
        1 failed test:
          charges (line 5)
              expected 2 but was 1
        "#);
}

#[test]
fn several_runs_are_added_up() {
    let shown = sketch(&CARGO.repeat(3));
    assert!(shown.contains("in 3 runs together: 3 passed, 3 failed\n1 failed test:\n"), "{shown}");
}
