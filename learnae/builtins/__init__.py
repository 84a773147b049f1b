"""The plugins that come with LEARNAE, registered through the same door as strangers'."""
