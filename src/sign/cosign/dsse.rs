/// What the payload of a Sigstore bundle is.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// What is signed of a payload: its type and its length stand before it, so that no two messages are the same bytes.
///
/// <https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md#signature-definition>
pub(super) fn encode(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}
