use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};

use super::{
    super::{
        RegistryOptions, RegistrySettings,
        testing::{Reply, Server, run},
    },
    *,
};
use crate::{
    oci::Descriptor,
    store::{Store, read as read_blob},
};

/// A house with a certificate authority of its own.
struct House {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let house = Self { issuer, folder: tempfile::tempdir().unwrap() };
        fs::write(house.path("ca.pem"), house.issuer.pem()).unwrap();
        for name in ["client", "other"] {
            let (certificate, key) = house.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
            fs::write(house.path(&format!("{name}.pem")), certificate.pem()).unwrap();
            fs::write(house.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server on loopback with a certificate of the house, which looks at the client's too.
    fn acceptor(&self, wants_certificate: bool) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(roots.into());
        let verifier = if wants_certificate { verifier } else { verifier.allow_unauthenticated() };
        let (certificate, key) = self.issue("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap());
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(std::sync::Arc::new(config))
    }

    fn trusted(&self) -> Tls {
        Tls::default().with_roots(&self.path("ca.pem")).unwrap()
    }

    fn known(&self) -> Tls {
        self.trusted().with_identity(&self.path("client.pem"), &self.path("client.key")).unwrap()
    }
}

/// What comes of reading a blob from `server`, over HTTPS as `tls` says.
async fn fetch(server: &Server, tls: Tls) -> Result<String, String> {
    let settings = RegistrySettings { tls, plain_http: Some(false), ..RegistrySettings::default() };
    let settings = [(server.name.clone(), settings)].into();
    let store =
        run(RegistryOptions { settings, ..RegistryOptions::default() }).repository(&server.name, &"a".parse().unwrap());
    let content = async {
        let blob = Descriptor::of("a/b", b"content");
        read_blob(&blob, store.blob(&blob).await?, 100).await
    };
    content.await.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).map_err(|error| error.to_string())
}

async fn with_content(acceptor: TlsAcceptor) -> Server {
    Server::behind(Some(acceptor), |_, _| Some(Reply::status(200).body("content"))).await
}

#[tokio::test]
async fn who_answers_must_be_of_the_system_or_of_the_house() {
    let house = House::new();
    let server = with_content(house.acceptor(false)).await;
    assert_eq!(fetch(&server, house.trusted()).await.as_deref(), Ok("content"));
    for stranger in [Tls::default(), House::new().trusted()] {
        let error = fetch(&server, stranger).await.unwrap_err();
        assert!(error.contains("invalid peer certificate"), "{error}");
        // Nobody tries again what does not pass.
        assert!(!error.contains("tried"), "{error}");
    }
    assert_eq!(fetch(&server, Tls::default().unverified()).await.as_deref(), Ok("content"));
}

#[tokio::test]
async fn a_registry_sees_the_certificate_that_is_for_it() {
    let house = House::new();
    let server = with_content(house.acceptor(true)).await;
    assert_eq!(fetch(&server, house.known()).await.as_deref(), Ok("content"));
    assert!(server.received().iter().all(|received| received.is_known));
    assert!(fetch(&server, house.trusted()).await.is_err());
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn where_a_registry_points_sees_no_certificate_and_must_prove_who_it_is() {
    let house = House::new();
    let storage = with_content(house.acceptor(false)).await;
    let place = format!("https://{}/storage", storage.name);
    let server =
        Server::behind(Some(house.acceptor(true)), move |_, _| Some(Reply::status(307).header("location", &place)))
            .await;
    assert_eq!(fetch(&server, house.known()).await.as_deref(), Ok("content"));
    let asked: Vec<_> = storage.received().iter().map(|received| received.is_known).collect();
    assert_eq!(asked, [false]);
    // Who is believed unseen is the registry alone.
    let server = Server::behind(Some(house.acceptor(false)), {
        let place = format!("https://{}/storage", storage.name);
        move |_, _| Some(Reply::status(307).header("location", &place))
    })
    .await;
    let error = fetch(&server, Tls::default().unverified()).await.unwrap_err();
    assert!(error.contains(&storage.name.to_string()) && error.contains("certificate"), "{error}");
    assert!(storage.received().is_empty());
}

#[test]
fn files_that_are_something_else_are_refused() {
    let house = House::new();
    let identity = |certificate: &str, key: &str| {
        Tls::default().with_identity(&house.path(certificate), &house.path(key)).map_err(|error| error.to_string())
    };
    assert!(identity("client.pem", "client.key").is_ok());
    for (certificate, key) in [("client.pem", "other.key"), ("client.pem", "client.pem")] {
        let error = identity(certificate, key).unwrap_err();
        assert!(error.contains("are not a certificate and its key"), "{certificate} {key}: {error}");
    }
    assert!(identity("client.pem", "none.key").unwrap_err().contains("none.key` cannot be read: "));
    fs::write(house.path("text.pem"), "hunter2").unwrap();
    fs::write(house.path("nonsense.pem"), "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n")
        .unwrap();
    for file in ["text.pem", "nonsense.pem", "client.key"] {
        let error = Tls::default().with_roots(&house.path(file)).unwrap_err().to_string();
        assert!(error.contains("holds no certificate") && !error.contains("hunter2"), "{file}: {error}");
    }
    #[cfg(unix)]
    assert!(Tls::default().with_roots(Path::new("/dev/zero")).unwrap_err().to_string().contains("cannot be read: "));
    let known = format!("{:?}", house.known());
    assert_eq!(known, "Tls { roots: 1, has_identity: true, is_unverified: false }");
}
