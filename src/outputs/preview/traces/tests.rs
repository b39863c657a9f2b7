//! Traces of several languages, and the distinct ones among them.

use super::{Traces, are_traces};
use crate::outputs::preview::tests::shown;

const PYTHON: &str = "Traceback (most recent call last):
  File \"/srv/app.py\", line 12, in main
    pay(order)
  File \"/srv/pay.py\", line 31, in pay
    return order['id']
           ~~~~~^^^^^^
KeyError: 'id'
";
const JAVA: &str = "2026-03-01 12:00:00 ERROR [http-7] com.shop.ShopError: order 1234 failed
\tat com.shop.Api.post(Api.java:17)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.net.SocketTimeoutException: Read timed out
\tat com.shop.Pay.charge(Pay.java:31)
\t... 12 more
";
const NODE: &str = "TypeError: Cannot read properties of undefined (reading 'id')
    at charge (/srv/pay.js:31:7)
    at async post (file:///srv/api.mjs:17:3)
";
const GO: &str = "panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.charge(0x5)
\t/srv/pay.go:31 +0x1d
main.main()
\t/srv/main.go:8 +0x25
exit status 2
";
const RUST: &str = "thread 'main' panicked at src/pay.rs:31:5:
index out of bounds: the len is 3 but the index is 5
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_bounds_check
   2: shop::pay::charge
             at ./src/pay.rs:31:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
";

#[test]
fn the_traces_of_five_languages_are_told_apart() {
    let mut text = String::new();
    for n in 0..100 {
        text += PYTHON;
        text += "work goes on\n";
        if n % 2 == 0 {
            text += &JAVA.replace("1234", &format!("{n}"));
        }
        if n % 10 == 0 {
            text += NODE;
            text += GO;
            text += RUST;
        }
    }
    insta::assert_snapshot!(shown(text.as_bytes(), 3_000), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · stack traces · 40,415 bytes · 1,300 lines · sha256 e3b0c44298fc1c14…
        180 stack traces, 5 distinct:
          100 × KeyError: 'id' (first in line 1)
              File "/srv/app.py", line 12, in main
              File "/srv/pay.py", line 31, in pay
          50 × Caused by: java.net.SocketTimeoutException: Read timed out (first in line 9)
              at com.shop.Pay.charge(Pay.java:31)
          10 × TypeError: Cannot read properties of undefined (reading 'id') (first in line 15)
              at charge (/srv/pay.js:31:7)
              at async post (file:///srv/api.mjs:17:3)
          10 × runtime error: index out of range [5] with length 3 (first in line 18)
              main.charge
              main.main
          10 × thread 'main' panicked at src/pay.rs:31:5: index out of bounds: the len is 3 but the index is 5 (first in line 26)
              shop::pay::charge
        [lines 1-30 of 1,300]
        Traceback (most recent call last):
          File "/srv/app.py", line 12, in main
            pay(order)
          File "/srv/pay.py", line 31, in pay
            return order['id']
                   ~~~~~^^^^^^
        KeyError: 'id'
        work goes on
        2026-03-01 12:00:00 ERROR [http-7] com.shop.ShopError: order 0 failed
        	at com.shop.Api.post(Api.java:17)
        	at java.base/java.lang.Thread.run(Thread.java:840)
        Caused by: java.net.SocketTimeoutException: Read timed out
        	at com.shop.Pay.charge(Pay.java:31)
        	... 12 more
        TypeError: Cannot read properties of undefined (reading 'id')
            at charge (/srv/pay.js:31:7)
            at async post (file:///srv/api.mjs:17:3)
        panic: runtime error: index out of range [5] with length 3

        goroutine 1 [running]:
        main.charge(0x5)
        	/srv/pay.go:31 +0x1d
        main.main()
        	/srv/main.go:8 +0x25
        exit status 2
        thread 'main' panicked at src/pay.rs:31:5:
        index out of bounds: the len is 3 but the index is 5
        stack backtrace:
           0: rust_begin_unwind
                     at /rustc/abc/library/std/src/panicking.rs:697:5
        [lines 1,268-1,300]
        Caused by: java.net.SocketTimeoutException: Read timed out
        	at com.shop.Pay.charge(Pay.java:31)
        	... 12 more
        Traceback (most recent call last):
          File "/srv/app.py", line 12, in main
            pay(order)
          File "/srv/pay.py", line 31, in pay
            return order['id']
                   ~~~~~^^^^^^
        KeyError: 'id'
        work goes on
        Traceback (most recent call last):
          File "/srv/app.py", line 12, in main
            pay(order)
          File "/srv/pay.py", line 31, in pay
            return order['id']
                   ~~~~~^^^^^^
        KeyError: 'id'
        work goes on
        2026-03-01 12:00:00 ERROR [http-7] com.shop.ShopError: order 98 failed
        	at com.shop.Api.post(Api.java:17)
        	at java.base/java.lang.Thread.run(Thread.java:840)
        Caused by: java.net.SocketTimeoutException: Read timed out
        	at com.shop.Pay.charge(Pay.java:31)
        	... 12 more
        Traceback (most recent call last):
          File "/srv/app.py", line 12, in main
            pay(order)
          File "/srv/pay.py", line 31, in pay
            return order['id']
                   ~~~~~^^^^^^
        KeyError: 'id'
        work goes on
        next: read_file /case/outputs/0007-shell.txt from=1
        "#);
}

#[test]
fn each_is_one_trace() {
    for text in [PYTHON, JAVA, NODE, GO, RUST] {
        let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        assert!(are_traces(&lines), "{text}");
        let mut traces = Traces::default();
        for (at, line) in lines.iter().enumerate() {
            traces.line(at as u64 + 1, line);
        }
        traces.close();
        assert_eq!((traces.all, traces.found.len()), (1, 1), "{text}");
        assert_eq!(traces.found[0].line, 1, "{text}");
    }
    for text in ["  at noon we met\n", "goroutine leak\n", "panic: no trace\nfollows\n", ""] {
        let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        assert!(!are_traces(&lines), "{text}");
    }
}

#[test]
fn one_that_never_ends_is_ended() {
    let mut traces = Traces::default();
    traces.line(1, b"Traceback (most recent call last):");
    for n in 0..5_000 {
        traces.line(n + 2, b"  File \"x.py\", line 1, in f");
    }
    assert!(!traces.is_within());
}
