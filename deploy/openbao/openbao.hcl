# OpenBao of production: the key-encryption keys of the vault, by its `transit` engine, so that they never leave it.
#
# Amparo does not use it yet: `access/keyring.py` knows only a local file, which production refuses. What stands here is
# what the keyring on OpenBao will ask for.

ui           = false
api_addr     = "http://openbao:8200"
cluster_addr = "http://openbao:8201"
log_level    = "info"

storage "raft" {
  path    = "/openbao/data"
  node_id = "openbao-1"
}

# Without TLS: only the network `data` reaches it, see docs/guides/operator.md.
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable     = true
}

# It opens itself with a key from a file, so that a machine that restarts at night takes requests again. Who holds that
# file and a copy of the data holds the keys: keep deploy/secrets on another disk than the volumes, or replace this by a
# `transit`, `pkcs11` or cloud seal.
seal "static" {
  current_key_id = "1"
  current_key    = "file:///run/secrets/openbao_seal_key"
}

audit "file" "stdout" {
  description = "Every request, with secrets as keyed hashes"
  options {
    file_path = "stdout"
  }
}

# Done once, at the first start; the root token of that moment is not shown to anybody and is revoked.
initialize "keys" {
  request "transit" {
    operation = "update"
    path      = "sys/mounts/transit"
    data = {
      type        = "transit"
      description = "Keys that never leave"
    }
  }

  # Wraps subjects' keys. Neither exportable nor deletable, which are transit's defaults.
  request "wrapping-key" {
    operation = "update"
    path      = "transit/keys/vault"
    data = {
      type = "aes256-gcm96"
    }
  }

  # Keys for one purpose each are derived from it, so it is never rotated.
  request "derivation-key" {
    operation = "update"
    path      = "transit/keys/derive"
    data = {
      type = "hmac"
      key_size = 32
    }
  }
}

initialize "policies" {
  # For the services that seal and unseal: use the keys, and neither read, change nor remove them.
  request "keyring" {
    operation = "update"
    path      = "sys/policies/acl/keyring"
    data = {
      policy = <<-POLICY
        path "transit/encrypt/vault" { capabilities = ["update"] }
        path "transit/decrypt/vault" { capabilities = ["update"] }
        path "transit/hmac/derive"   { capabilities = ["update"] }
      POLICY
    }
  }

  # For whoever runs it: makes and rotates keys, lets services in, takes snapshots. It could grant itself the use of a key,
  # which the audit log would show.
  request "administrator" {
    operation = "update"
    path      = "sys/policies/acl/administrator"
    data = {
      policy = <<-POLICY
        path "transit/keys/*"     { capabilities = ["create", "read", "update", "list"] }
        path "sys/auth"           { capabilities = ["read"] }
        path "sys/auth/*"         { capabilities = ["create", "read", "update", "sudo"] }
        path "auth/*"             { capabilities = ["create", "read", "update", "list"] }
        path "sys/policies/acl/*" { capabilities = ["create", "read", "update", "list"] }
        path "sys/audit"          { capabilities = ["read", "sudo"] }
        path "sys/storage/raft/snapshot" { capabilities = ["read", "update"] }
        path "sys/health"         { capabilities = ["read"] }
      POLICY
    }
  }
}

initialize "administrator" {
  request "userpass" {
    operation = "update"
    path      = "sys/auth/userpass"
    data = {
      type = "userpass"
    }
  }

  request "administrator" {
    operation = "update"
    path      = "auth/userpass/users/administrator"
    data = {
      password = {
        eval_source = "file"
        eval_type   = "string"
        path        = "/run/secrets/openbao_admin_password"
      }
      token_policies = ["administrator"]
      token_ttl      = "1h"
    }
  }
}
