//! A call while it is on: done where it does no harm, ended when nobody wants it any more,
//! told of now and then, and answered even where it breaks down.
//!
//! **What is at hand is done at once**, on the thread that heard of it: to wake another one
//! takes longer than to read a file. Where it has to wait after all ([`wait`]), another
//! thread hears and answers meanwhile.

use std::sync::Arc;
use std::time::Duration;

use rmcp::Peer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RoleServer;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::errors::{Code, Told};
use super::server::Server;
use super::work::{Answer, Work};
use crate::tools::Stop;

/// How often a client hears that a call is still on. Sooner than any client's patience
/// ends, and not so often that it costs anything.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

impl Server {
    /// Does one call where it may take its time. `gone` is when nobody wants it any more.
    pub(super) async fn attend(
        &self,
        work: Arc<Work>,
        name: String,
        is_at_hand: bool,
        act: impl FnOnce(&Work, &Stop) -> Answer + Send + 'static,
        gone: impl Future<Output = ()>,
        progress: Option<Progress>,
    ) -> Answer {
        let failed = |what: String| self.work.told(&Told::new(Code::InternalError, what));
        let stop = Arc::new(Stop::default());
        let stopped = stop.clone();
        let free = self.free.clone();
        let call = async move {
            // Never closed, so there is always one at last.
            let permit = free.acquire_owned().await;
            let act = move || {
                let _permit = permit;
                // Nobody waits for it any more, so it need not be begun.
                if stopped.is_wanted() {
                    return work.told(&Told::new(Code::Cancelled, "it was cancelled"));
                }
                act(&work, &stopped)
            };
            match is_at_hand && can_wait() {
                true => tokio::spawn(async { act() }).await,
                false => tokio::task::spawn_blocking(act).await,
            }
        };
        let mut ending = self.ending.subscribe();
        let over = async {
            tokio::select! {
                () = gone => {}
                _ = ending.wait_for(|is_ending| *is_ending) => {}
            }
            stop.stop();
            std::future::pending::<()>().await;
        };
        let told = async {
            match progress {
                Some(progress) => progress.tell(&name).await,
                None => std::future::pending().await,
            }
        };
        // The answer comes first, so that nothing is told once it is there.
        let answer = tokio::select! {
            biased;
            answer = call => answer,
            () = over => return failed("nobody waits for this call".into()),
            () = told => return failed("nobody hears of this call".into()),
        };
        answer.unwrap_or_else(|error| {
            let how = if error.is_panic() { "broke down" } else { "was left off" };
            failed(format!("casefile {how} while it did `{name}`"))
        })
    }
}

/// Does what may take long. A thread that hears and answers lets another one do that
/// meanwhile.
pub(super) fn wait(act: &mut dyn FnMut()) {
    match can_wait() {
        true => block_in_place(act),
        false => act(),
    }
}

/// Whether there is another thread that could hear and answer.
fn can_wait() -> bool {
    let handle = Handle::try_current();
    handle.is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Somebody who wants to know that a call is still on.
pub(super) struct Progress {
    pub(super) peer: Peer<RoleServer>,
    pub(super) token: ProgressToken,
}

impl Progress {
    /// Tells now and then, and never ends.
    async fn tell(self, tool: &str) {
        let began = Instant::now();
        let mut ticks = interval_at(began + PROGRESS_EVERY, PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let seconds = began.elapsed().as_secs();
            #[expect(clippy::cast_precision_loss, reason = "no call takes so many seconds")]
            let mut news = ProgressNotificationParam::new(self.token.clone(), seconds as f64);
            news.message = Some(format!("{tool} has been running for {seconds} s"));
            // A client that does not read it is told by its own pipe.
            let _ = self.peer.notify_progress(news).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::broken::Broken;
    use super::super::errors::Code;
    use super::super::server::{CALLS_MAX, Server};

    #[test]
    fn a_panic_in_one_call_is_the_answer_to_it_and_the_next_goes_on() {
        let server = Server::new(Arc::new(Broken::new()), None).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let call = |tool: &'static str, given: serde_json::Value| {
            let given = given.as_object().unwrap().clone();
            let act = move |work: &super::Work, stop: &super::Stop| work.answer(tool, given, stop);
            runtime.block_on(server.attend(
                server.work.clone(),
                tool.into(),
                false,
                act,
                std::future::pending(),
                None,
            ))
        };
        let broken = call("read_file", json!({"case": "a", "path": "b"}));
        assert_eq!(broken.code, Some(Code::InternalError));
        assert_eq!(
            broken.shown.text(),
            "error: casefile broke down while it did `read_file`\n\
             hint: Try it once more, then tell a person.\n"
        );
        let good = call("open_case", json!({}));
        assert_eq!((good.code, good.shown.text()), (None, "opened\n"));
        // Where it is not known whether there is a network, the worse is said.
        let shell = server.tools().iter().find(|tool| tool.name == "shell").unwrap();
        assert_eq!(shell.annotations.as_ref().unwrap().open_world_hint, Some(true));
        // A call that nobody waits for any more is not begun.
        server.end();
        let act = |_: &super::Work, _: &super::Stop| panic!("begun");
        runtime.block_on(async {
            let held = server.free.acquire_many(CALLS_MAX).await.unwrap();
            let late = server.attend(
                server.work.clone(),
                "late".into(),
                false,
                act,
                std::future::pending(),
                None,
            );
            let late = tokio::join!(late, async {
                tokio::task::yield_now().await;
                drop(held);
            });
            assert_eq!(late.0.code, Some(Code::Cancelled));
            assert!(late.0.shown.text().starts_with("error: it was cancelled\n"));
        });
    }
}
