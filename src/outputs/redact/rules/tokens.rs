//! Secrets that say themselves what they are, by how they begin.

use super::super::class::{ALNUM, BASE64, BASE64URL, DASHED, HEX, UPPER, WORD};
use super::super::shape::Part::{Perhaps, Run, Text};
use super::super::shape::Shape::Token;
use super::super::shape::VALUE_BYTES_MAX;
use super::Rule;

/// The end of a run that has none of its own.
const MOST: usize = VALUE_BYTES_MAX;

/// In the order in which they count.
#[rustfmt::skip]
pub(super) const TOKENS: &[Rule] = &[
    Rule {
        name: "aws-key",
        what: "the id of an access key of AWS",
        anchors: &["AKIA", "ASIA", "ABIA", "ACCA"],
        shape: Token(&[Run(&UPPER, 16, 16)]),
        matches: &["aws_access_key_id = «AK~IAIOSFODNN7EXAMPLE»\n", "(«AS~IAIOSFODNN7EXAMPLE»)"],
        misses: &["AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLEX", "xAKIAIOSFODNN7EXAMPLE", "akiaiosfodnn7example", "ASIA PACIFIC"],
    },
    Rule {
        name: "google-key",
        what: "an API key of Google",
        anchors: &["AIza"],
        shape: Token(&[Run(&DASHED, 35, 35)]),
        matches: &["?key=«AI~zaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q»&v=3"],
        misses: &["AIzaSyA1b2C3"],
    },
    Rule {
        name: "google-secret",
        what: "an OAuth secret or token of Google",
        anchors: &["GOCSPX-", "ya29."],
        shape: Token(&[Run(&DASHED, 20, MOST)]),
        matches: &["«GO~CSPX-a1B2c3D4e5F6g7H8i9J0k1L2m3N4»", "\"«ya~29.a0AfH6SMBx1y2Z3w4V5u6T7»\""],
        misses: &["GOCSPX-short", "ya29.x"],
    },
    Rule {
        name: "github-token",
        what: "a token of GitHub",
        anchors: &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        shape: Token(&[Run(&WORD, 36, 255)]),
        matches: &["https://«gh~p_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8»@github.com/a/b"],
        misses: &["ghp_short", "highp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"],
    },
    Rule {
        name: "github-pat",
        what: "a fine-grained token of GitHub",
        anchors: &["github_pat_"],
        shape: Token(&[Run(&WORD, 40, 255)]),
        matches: &["«git~hub_pat_11ABCDEFG0a1B2c3D4e5F6_g7H8i9J0k1L2m3N4o5P6q7R8»"],
        misses: &["github_pat_name = 1", "github_path"],
    },
    Rule {
        name: "gitlab-token",
        what: "a token of GitLab",
        anchors: &["glpat-", "glptt-", "gldt-", "glrt-", "glcbt-"],
        shape: Token(&[Run(&DASHED, 20, 255)]),
        matches: &["PRIVATE-TOKEN: «gl~pat-a1B2c3D4e5F6g7H8i9J0»"],
        misses: &["glpat-short"],
    },
    Rule {
        name: "slack-token",
        what: "a token of Slack",
        anchors: &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
        shape: Token(&[Run(&DASHED, 20, 255)]),
        matches: &["«xo~xb-123456789012-123456789012-a1B2c3D4e5F6»", "«xa~pp-1-A0B1C2D3E4-1234567890-abcdef»"],
        misses: &["xoxb-", "xoxo-hugs-and-kisses-from-everyone"],
    },
    Rule {
        name: "slack-webhook",
        what: "an address that posts to Slack",
        anchors: &["hooks.slack.com/services/"],
        shape: Token(&[Run(&UPPER, 8, 255), Text("/"), Run(&UPPER, 8, 255), Text("/"), Run(&ALNUM, 12, 255)]),
        matches: &["https://«hooks.slack~.com/services/T00000000/B00000000/a1B2c3D4e5F6»"],
        misses: &["hooks.slack.com/services/", "hooks.example.com"],
    },
    Rule {
        name: "stripe-key",
        what: "a secret of Stripe",
        anchors: &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
        shape: Token(&[Run(&BASE64, 20, 255)]),
        matches: &["«sk~_live_a1B2c3D4e5F6g7H8i9J0k1L2»", "«wh~sec_a1B2c3D4e5F6g7H8i9J0k1L2/+=»"],
        misses: &["sk_live_mode = true", "task_live_a1B2c3D4e5F6g7H8i9J0k1L2"],
    },
    Rule {
        name: "ai-key",
        what: "a key of OpenAI, Anthropic or another that followed them",
        anchors: &["sk-?", "sess-"],
        shape: Token(&[Run(&DASHED, 32, 255)]),
        matches: &["«sk~-ant-api03-a1B2c3D4e5F6g7H8i9J0k1L2m3N4»", "«sk~-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4_x»"],
        misses: &["sk-short", "task-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", "risk-based"],
    },
    Rule {
        name: "npm-token",
        what: "a token of npm",
        anchors: &["npm_"],
        shape: Token(&[Run(&ALNUM, 36, 36)]),
        matches: &["«np~m_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8»"],
        misses: &["npm_config_registry=https://registry.npmjs.org/", "npm_lifecycle_event"],
    },
    Rule {
        name: "pypi-token",
        what: "a token of PyPI",
        anchors: &["pypi-AgE"],
        shape: Token(&[Run(&DASHED, 40, MOST)]),
        matches: &["«py~pi-AgEIcHlwaS5vcmcCJGExYjJjM2Q0LWU1ZjYtNzg5MC1hYmNk»"],
        misses: &["pypi-agent", "pypi-AgEx"],
    },
    Rule {
        name: "sendgrid-key",
        what: "a key of SendGrid",
        anchors: &["SG.?"],
        shape: Token(&[Run(&DASHED, 22, 22), Text("."), Run(&DASHED, 43, 43)]),
        matches: &["«SG~.a1B2c3D4e5F6g7H8i9J0k1.a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V»"],
        misses: &["SG.x", "MSG.length"],
    },
    Rule {
        name: "casefile-token",
        what: "a token that lets somebody in here",
        anchors: &["casefile_?"],
        shape: Token(&[Run(&HEX, 64, 64)]),
        matches: &["(«case~file_9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015»)"],
        misses: &["casefile_home", "casefile_9f86d081884c7d659a2feaa0c55ad015"],
    },
    Rule {
        name: "vault-token",
        what: "a token of Vault",
        anchors: &["hvs.", "hvb.", "hvr."],
        shape: Token(&[Run(&DASHED, 24, MOST)]),
        matches: &["«hv~s.CAESIa1B2c3D4e5F6g7H8i9J0k1L2»"],
        misses: &["hvs.short", "hvac.cool"],
    },
    Rule {
        name: "huggingface-token",
        what: "a token of Hugging Face",
        anchors: &["hf_?"],
        shape: Token(&[Run(&ALNUM, 34, 34)]),
        matches: &["«hf~_abcdefghijklmnopqrstuvwxyzABCDEFGH»"],
        misses: &["hf_model_name", "shf_abcdefghijklmnopqrstuvwxyzABCDEFGH"],
    },
    Rule {
        name: "cloud-token",
        what: "a token of DigitalOcean, Shopify, Grafana, Sentry, Linear or Doppler",
        anchors: &[
            "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpss_", "shpca_", "glsa_", "sntrys_", "sntryu_", "lin_api_",
            "dp.pt.",
        ],
        shape: Token(&[Run(&BASE64URL, 32, MOST)]),
        matches: &["«do~p_v1_9f86d081884c7d659a2feaa0c55ad0159f86d081884c7d659a2feaa0c55ad015»"],
        misses: &["lin_api_client = connect()", "dp.pt.x"],
    },
    Rule {
        name: "databricks-token",
        what: "a token of Databricks",
        anchors: &["dapi?"],
        shape: Token(&[Run(&HEX, 32, 32)]),
        matches: &["«da~pi9f86d081884c7d659a2feaa0c55ad015»"],
        misses: &["dapi_client", "dapi9f86d081884c7d659a2feaa0c55ad0159f"],
    },
    Rule {
        name: "newrelic-key",
        what: "a key of New Relic",
        anchors: &["NRAK-"],
        shape: Token(&[Run(&UPPER, 27, 27)]),
        matches: &["«NR~AK-A1B2C3D4E5F6G7H8I9J0K1L2M3N»"],
        misses: &["NRAK-", "NRAK-lower"],
    },
    Rule {
        name: "age-key",
        what: "a private key of age",
        anchors: &["AGE-SECRET-KEY-1"],
        shape: Token(&[Run(&UPPER, 58, 58)]),
        matches: &["«AGE-SEC~RET-KEY-1QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE»"],
        misses: &["AGE-SECRET-KEY-1...", "age1qpzry9x8gf2tvdw0s3jn54khce6mua7l"],
    },
    Rule {
        name: "jwt",
        what: "a JSON web token",
        anchors: &["eyJ?"],
        shape: Token(&[
            Run(&DASHED, 8, 2 * MOST), Text("."), Run(&DASHED, 8, 2 * MOST), Text("."),
            Run(&DASHED, 16, MOST), Perhaps(&[Text("."), Run(&DASHED, 8, MOST)]), Perhaps(&[Text("."), Run(&DASHED, 8, MOST)]),
        ]),
        matches: &["cookie: session=«ey~JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.a1B2c3D4e5F6g7H8i9J0»; path=/"],
        misses: &["eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.x.y", "keyJoin.someMethodName.anotherMethodName"],
    },
    Rule {
        name: "private-key-base64",
        what: "a private key in PEM, encoded once more",
        anchors: &[
            "LS0tLS1CRUdJTiBQUklWQVRFI", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURS", "LS0tLS1CRUdJTiBFQyBQUklWQVRFI",
            "LS0tLS1CRUdJTiBPUEVOU1NII",
        ],
        shape: Token(&[Run(&BASE64, 32, MOST)]),
        matches: &["client-key-data: «LS0tLS1CRUdJTi~BSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVB»"],
        misses: &["certificate: LS0tLS1CRUdJTi~BDRVJUSUZJQ0FURS0tLS0tCk1JSURYVENDQWtXZ0F3SUJBZ0lK"],
    },
];
