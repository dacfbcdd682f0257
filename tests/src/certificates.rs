//! Certificates of every kind, made on the spot.

use npws::rustls::crypto::ring;
use npws::rustls::pki_types::pem::PemObject;
use npws::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use npws::rustls::sign::CertifiedKey;
use npws::{ClientTls, Fingerprint, ServerTls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};

/// An issuer of certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, both in PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new([]).expect("no name is wrong");
        // Two authorities of the same name would be told apart by their signatures only.
        params.distinguished_name.push(DnType::CommonName, format!("authority {:08x}", rand::random::<u32>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("it signs itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
}

impl Authority {
    /// Its own certificate, for others to trust.
    pub fn pem(&self) -> &[u8] {
        self.pem.as_bytes()
    }

    /// The same in DER.
    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.pem()).expect("it is a certificate")
    }

    /// A server's certificate for `name`.
    pub fn server(&self, name: &str) -> Identity {
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth, |_| {})
    }

    /// A server's certificate that is long out of date.
    pub fn expired(&self, name: &str) -> Identity {
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth, |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        })
    }

    /// A server's certificate of the far future.
    pub fn not_yet_valid(&self, name: &str) -> Identity {
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth, |params| {
            params.not_before = date_time_ymd(3001, 1, 1);
            params.not_after = date_time_ymd(3002, 1, 1);
        })
    }

    /// A client's certificate.
    pub fn client(&self) -> Identity {
        self.sign("client.example", ExtendedKeyUsagePurpose::ClientAuth, |_| {})
    }

    fn sign(
        &self,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new([name.to_owned()]).expect("it is a name");
        params.extended_key_usages.push(usage);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority signs").pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    /// A client that trusts this authority only.
    pub fn trusting_client(&self) -> ClientTls {
        ClientTls::with_roots_pem(self.pem()).expect("it is a certificate")
    }
}

impl Identity {
    /// Its fingerprint, by which its peer sees it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.server_tls().fingerprint().expect("it is a certificate of one's own")
    }

    /// A server that presents it.
    pub fn server_tls(&self) -> ServerTls {
        ServerTls::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).expect("certificate and key are there")
    }

    /// The same for a configuration of one's own.
    pub fn certified_key(&self) -> CertifiedKey {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("it is a certificate");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("it is a key");
        CertifiedKey::from_der(vec![certificate], key, &ring::default_provider()).expect("they fit")
    }
}
