//! Chromium without a window, driven by its own protocol (DevTools) over a pair of pipes: JSON messages that end with a NUL byte.
//! With pipes there is no port by which another user of the machine could drive it.
//!
//! A page's troubles are kept as they happen: dialogs, errors of scripts, and whatever the page's policy has forbidden.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// No answer and no condition is waited for longer.
const PATIENCE: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const PROGRAM: &str = "chromium";

/// Says each break of the policy where [`Chromium::troubles`] finds it, and when the wall was told something.
const WATCH: &str = "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))";

pub(crate) struct Chromium {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Value>,
    last: u64,
    session: Option<String>,
    troubles: Vec<String>,
    /// Bytes over the network for each kind of resource since the last load.
    loaded: Vec<(String, u64)>,
    kinds: std::collections::HashMap<String, String>,
    _profile: tempfile::TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // It reads requests from descriptor 3 and answers on descriptor 4.
        command.args(["-c", "exec 3<&0 4>&1 </dev/null >/dev/null 2>&1; exec \"$@\"", "sh", PROGRAM]);
        // The sandbox needs another user than root; what is looked at here is our own page.
        command.args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"]);
        command.args([
            "--no-first-run",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--hide-scrollbars",
        ]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--force-color-profile=srgb",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let requests = child.stdin.take().unwrap();
        let mut from = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while from.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { return };
                if sender.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut chromium = Self {
            child,
            requests,
            answers,
            last: 0,
            session: None,
            troubles: Vec::new(),
            loaded: Vec::new(),
            kinds: std::collections::HashMap::new(),
            _profile: profile,
        };
        chromium.open_page();
        chromium
    }

    fn open_page(&mut self) {
        let page = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached =
            self.call("Target.attachToTarget", json!({ "targetId": page["targetId"], "flatten": true }));
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": WATCH }));
        self.call("Network.setCacheDisabled", json!({ "cacheDisabled": true }));
    }

    /// Asks for something, and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            request["sessionId"] = session.as_str().into();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.answers.recv_timeout(left);
            let mut message = message.unwrap_or_else(|_| panic!("{PROGRAM} does not answer {method}"));
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Value) {
        let params = &message["params"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match message["method"].as_str().unwrap_or_default() {
            "Page.javascriptDialogOpening" => {
                self.troubles.push(format!("dialog: {}", params["message"]));
                // The page stands still until it is answered; the answer to this is of no interest.
                self.last += 1;
                let mut close = json!({ "id": self.last, "method": "Page.handleJavaScriptDialog", "params": { "accept": false } });
                close["sessionId"] = self.session.as_deref().unwrap_or_default().into();
                let _sent = self.requests.write_all(format!("{close}\0").as_bytes());
            }
            "Runtime.exceptionThrown" => {
                self.troubles.push(format!("exception: {}", params["exceptionDetails"]))
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" => {
                self.troubles.push(format!("error: {}", params["args"]));
            }
            "Log.entryAdded" if params["entry"]["level"] == "error" => {
                self.troubles.push(format!("log: {} {}", params["entry"]["text"], params["entry"]["url"]));
            }
            "Network.responseReceived" => {
                self.kinds.insert(text(&params["requestId"]), text(&params["type"]));
            }
            "Network.loadingFinished" => {
                let kind = self.kinds.get(&text(&params["requestId"])).cloned().unwrap_or_default();
                let bytes = params["encodedDataLength"].as_f64().unwrap_or_default();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number of bytes"
                )]
                self.loaded.push((kind, bytes as u64));
            }
            _ => {}
        }
    }

    /// What went wrong since the last call.
    pub(crate) fn troubles(&mut self) -> Vec<String> {
        self.evaluate("0");
        std::mem::take(&mut self.troubles)
    }

    /// The value of an expression; of a promise, what it comes to.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_until(&mut self, expression: &str) {
        self.wait_until_within(PATIENCE, expression);
    }

    pub(crate) fn wait_until_within(&mut self, patience: Duration, expression: &str) {
        let deadline = Instant::now() + patience;
        while self.evaluate(expression) != true {
            assert!(Instant::now() < deadline, "waited in vain until {expression}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Loads a page, with all that belongs to it.
    pub(crate) fn load(&mut self, address: &str) {
        self.go_to(address, "document.readyState === 'complete'");
    }

    /// Loads a page, and does not wait for its pictures: without scripts a browser draws all of them before it is done.
    pub(crate) fn load_text(&mut self, address: &str) {
        self.go_to(address, "document.readyState !== 'loading'");
    }

    fn go_to(&mut self, address: &str, is_there: &str) {
        self.loaded.clear();
        // Otherwise a page at the same address, which is there until the new one comes, would be taken for it.
        self.evaluate("window.old = true; 0");
        let loaded = self.call("Page.navigate", json!({ "url": address }));
        assert_eq!(loaded.get("errorText"), None, "{address}");
        self.wait_until(&format!(
            "window.old === undefined && {is_there} && location.href === {}",
            json!(address)
        ));
    }

    /// Bytes that were loaded for the last page, without its pictures.
    pub(crate) fn bytes_without_pictures(&mut self) -> u64 {
        self.evaluate("0");
        self.loaded.iter().filter(|(kind, _)| kind != "Image").map(|(_, bytes)| bytes).sum()
    }

    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// `light` or `dark`.
    pub(crate) fn colours(&mut self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    pub(crate) fn runs_scripts(&mut self, does: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !does }));
    }

    /// What is seen, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        use base64::Engine as _;
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// Presses and releases a key: `Tab`, `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            other => panic!("no such key: {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if let Some(text) = text.filter(|_| kind == "keyDown") {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    pub(crate) fn types(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It has processes of its own, in the same group.
        let _gone = rustix::process::Pid::from_raw(self.child.id().cast_signed())
            .map(|pid| rustix::process::kill_process_group(pid, rustix::process::Signal::KILL));
        let _reaped = self.child.wait();
    }
}
